"""The JSON envelope, its values, and the schema that describes it."""

from __future__ import annotations

import json
from typing import NewType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from harpoon_cli.domain import LeaseState
from harpoon_cli.errors import Exit, MayStillBill, NoCapacity
from harpoon_cli.render.envelope import encode, exit_of
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.schema import schema_for
from harpoon_cli.values import Struct

from .samples import HOSTILE, RECEIPT, Rows, data_of, on_terminal, outcome_of, show

Name = NewType("Name", str)


class Inner(Struct, frozen=True):
    name: Name
    state: LeaseState


def test_an_envelope_tells_everything_in_one_order() -> None:
    outcome = Outcome(
        data=Inner(Name("ü"), LeaseState.HELD),
        notes=("a note",),
        errors=(NoCapacity("full", hint="wait", status=409), MayStillBill("unsure")),
        exit=Exit.NO_CAPACITY,
    )
    assert (
        show(outcome, on_terminal(), "json").out
        == """{
  "schema": "harpoon/pools/v1",
  "command": "pools",
  "status": "error",
  "exit": 6,
  "endpoint": "sandbox",
  "data": {
    "name": "ü",
    "state": "held"
  },
  "receipt": null,
  "notes": [
    "a note"
  ],
  "errors": [
    {
      "code": "no_capacity",
      "message": "full",
      "hint": "wait",
      "exit": 6,
      "status": 409,
      "platform_code": null
    },
    {
      "code": "may_still_bill",
      "message": "unsure",
      "hint": "harpoon release --overdue",
      "exit": 9
    }
  ]
}
"""
    )


def test_errors_never_end_with_zero() -> None:
    assert exit_of(Outcome()) is Exit.DONE
    assert exit_of(Outcome(exit=Exit.MISSED)) is Exit.MISSED
    assert exit_of(Outcome(errors=(MayStillBill("unsure"),))) is Exit.MAY_STILL_BILL
    assert exit_of(Outcome(errors=(NoCapacity("full"),), exit=Exit.MISSED)) is Exit.MISSED


@settings(max_examples=1_000, deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.booleans(), st.booleans())
def test_harmless_json_has_the_value_of_the_text(text: str, ascii_only: bool, one_line: bool) -> None:
    shown = encode({text: [text]}, ascii_only=ascii_only, one_line=one_line)
    assert json.loads(shown) == {text: [text]}
    assert shown.isascii() or not ascii_only
    assert shown.count("\n") == (1 if one_line else 5)
    assert "\x7f" not in shown
    assert "\u202e" not in shown


def test_a_lone_half_of_a_character_survives_as_an_escape() -> None:
    assert encode("a\ud800", ascii_only=False, one_line=True) == '"a\\ud800"\n'
    assert json.loads(encode("\U0001f600\udc00", ascii_only=False, one_line=True)) == "\U0001f600\udc00"


def test_json_is_ascii_where_stdout_is_not_unicode() -> None:
    outcome = Outcome(data=Inner(Name("日\x7f"), LeaseState.HELD))
    shown = show(outcome, on_terminal(encoding="iso8859-1"), "json").out
    assert '"name": "\\u65e5\\u007f"' in shown


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(),
        Outcome(data=data_of("x"), receipt=RECEIPT),
        outcome_of(HOSTILE),
        outcome_of("plain"),
        Outcome(errors=(MayStillBill("unsure", hint="harpoon release --overdue"),)),
    ],
)
def test_what_is_printed_is_what_the_schema_says(outcome: Outcome) -> None:
    schema = schema_for("pools", Rows)
    Draft202012Validator.check_schema(schema)
    printed = json.loads(show(outcome, on_terminal(), "json").out)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(printed)


def test_the_schema_allows_nothing_else() -> None:
    validator = Draft202012Validator(schema_for("pools", Rows))
    printed = json.loads(show(Outcome(data=data_of("x")), on_terminal(), "json").out)
    assert validator.is_valid(printed)
    row = printed["data"]["rows"][0]
    for name in list(row):
        without = {other: value for other, value in row.items() if other != name}
        assert not validator.is_valid(printed | {"data": printed["data"] | {"rows": [without]}})
    for name, wrong in (("price", 0.5), ("at", 5), ("kind", "large"), ("more", 1)):
        assert not validator.is_valid(printed | {"data": printed["data"] | {"rows": [row | {name: wrong}]}})
    assert not validator.is_valid(printed | {"command": "leases"})
    assert not Draft202012Validator(schema_for("pools", None)).is_valid(printed)


def test_a_schema_is_the_same_every_time_and_names_no_secret() -> None:
    assert json.dumps(schema_for("config show", Rows)) == json.dumps(schema_for("config show", Rows))
    assert schema_for("config show", None)["properties"]["schema"] == {"const": "harpoon/config-show/v1"}  # type: ignore[index]
    assert "_value" not in json.dumps(schema_for("pools", Rows))
