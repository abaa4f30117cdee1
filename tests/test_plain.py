"""The one JSON form of values, and the way back, which takes nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import NewType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.domain import Origin, Secret
from harpoon_cli.errors import Exit
from harpoon_cli.plain import Unfit, UnknownField, plain, value_of
from harpoon_cli.values import Struct, field

Name = NewType("Name", str)


class Inner(Struct, frozen=True):
    amount: Decimal
    at: datetime


class Row(Struct, frozen=True):
    """A field of every kind that a file of ours has."""

    name: Name
    count: int
    share: float
    is_good: bool
    origin: Origin
    inner: Inner | None
    all: tuple[float, ...]
    by_name: Mapping[str, int]
    since: str = "1.0"
    more: tuple[int, ...] = field(default_factory=tuple)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E+999999"), "1E+999999"),
        (datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 14, 0, 0, 5, tzinfo=UTC), "2026-01-31T14:00:00.000005Z"),
        (Origin.QUOTED, "quoted"),
        (Exit.MISSED, 8),
        (Secret("canary"), "***"),
        ({Origin.QUOTED: (1, [True, None])}, {"quoted": [1, [True, None]]}),
        (float("nan"), None),
        (float("inf"), None),
        (0.1, 0.1),
    ],
)
def test_every_kind_of_value_has_one_json_form(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, b"x", object(), {1: 2}, Row, datetime(2026, 1, 31)])
def test_a_value_without_a_json_form_is_a_mistake(value: object) -> None:
    with pytest.raises(TypeError):
        plain(value)


def test_an_amount_that_is_calculated_with_again_keeps_all_its_digits() -> None:
    third = Decimal(1) / 3
    assert plain([third]) == ["0.333333333333333"]
    assert plain({"a": [third]}, all_digits=True) == {"a": [f"{third:f}"]}


rows = st.builds(
    Row,
    name=st.text().map(Name),
    count=st.integers(-(2**79), 2**79),
    share=st.floats(-1e299, 1e299),
    is_good=st.booleans(),
    origin=st.sampled_from(Origin),
    inner=st.none()
    | st.builds(
        Inner,
        amount=st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=9),
        at=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),
    ),
    all=st.lists(st.floats(-1e299, 1e299), max_size=3).map(tuple),
    by_name=st.dictionaries(st.text(), st.integers(0, 9), max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_what_is_written_is_read_back_as_it_was(row: Row) -> None:
    told = plain(row, all_digits=True)
    again = value_of(Row, json.loads(json.dumps(told)), "it")
    assert again == row
    assert json.dumps(plain(again, all_digits=True)) == json.dumps(told)


def told() -> dict[str, object]:
    """A row as a file has it."""
    return {
        "name": "a",
        "count": 1,
        "share": 1,
        "is_good": True,
        "origin": "quoted",
        "inner": {"amount": "0.5", "at": "2026-01-31T14:00:00Z"},
        "all": [0.5, 2],
        "by_name": {"a": 1},
    }


def test_a_field_with_a_default_may_be_missing_and_whole_numbers_stay_whole() -> None:
    found = value_of(Row, told(), "it")
    assert (found.since, found.more) == ("1.0", ())
    assert json.dumps(plain((found.share, found.all))) == "[1, [0.5, 2]]"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 5}, "it.name is not text"),
        ({"name": None}, "it.name is not text"),
        ({"count": "1"}, "it.count is not a whole number"),
        ({"count": 1.0}, "it.count is not a whole number"),
        ({"count": True}, "it.count is not a whole number"),
        ({"count": 10**40}, "it.count is not a number of a possible size"),
        ({"share": False}, "it.share is not a number"),
        ({"share": float("inf")}, "it.share is not a number that can be used"),
        ({"share": float("nan")}, "it.share is not a number that can be used"),
        ({"share": 10**400}, "it.share is not a number that can be used"),
        ({"is_good": 1}, "it.is_good is not true or false"),
        ({"origin": "guessed"}, "it.origin is not one of "),
        ({"origin": ["quoted"]}, "it.origin is not one of "),
        ({"inner": []}, "it.inner is not an object"),
        ({"inner": {}}, "it.inner is not an object with amount, at"),
        ({"inner": {"amount": 0.5, "at": "2026-01-31"}}, "it.inner.amount is not an amount"),
        ({"inner": {"amount": "NaN", "at": "2026-01-31"}}, "it.inner.amount is not an amount"),
        ({"inner": {"amount": "1E+999999", "at": "2026-01-31"}}, "it.inner.amount is not an amount"),
        ({"inner": {"amount": "1", "at": "yesterday"}}, "it.inner.at is not a time"),
        ({"inner": {"amount": "1", "at": "2026-01-31T14:00:00"}}, "it.inner.at is not a time with its zone"),
        ({"inner": {"amount": "1", "at": "0001-01-01T00:00:00+14:00"}}, "it.inner.at is not a time"),
        ({"all": {"0": 1}}, "it.all is not a list"),
        ({"all": [1, "2"]}, "it.all[1] is not a number"),
        ({"by_name": [1]}, "it.by_name is not an object"),
        ({"by_name": {"b" * 99: None}}, f"it.by_name.{'b' * 40} is not a whole number"),
        ({"more": None}, "it.more is not a list"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change: dict[str, object], said: str) -> None:
    with pytest.raises(Unfit) as refused:
        value_of(Row, told() | change, "it")
    assert str(refused.value).startswith(said)


def test_what_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(UnknownField, match="it has 'mood', which is not known here"):
        value_of(Row, told() | {"mood": 1}, "it")


@pytest.mark.parametrize("value", [None, 5, "text", [], [[[]]], float("nan")])
def test_what_is_no_object_is_no_row(value: object) -> None:
    with pytest.raises(Unfit, match="it is not an object"):
        value_of(Row, value, "it")
