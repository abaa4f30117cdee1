"""Checks of an answer: what agrees, what has a form, and what is not understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.routing.checks import Check, Kind, agreement, believed, well_formed
from harpoon_cli.routing.shape import problems, unknown_keywords


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("4", "The answer is 4.", 1.0, 1.0),
        ("4", "The answer is 5.", 0.0, 0.0),
        ("Paris.", "It is PARIS", 1.0, 1.0),
        ("3.5 kg", "3.6 kg", 0.5, 0.5),
        ("", "", 0.0, 0.0),
        ("the", "The", 1.0, 1.0),
    ],
)
def test_answers_agree_by_the_words_that_say_something(
    one: str, other: str, least: float, most: float
) -> None:
    assert least <= agreement(one, other) <= most


@given(st.text(max_size=60), st.text(max_size=60))
def test_agreement_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0.0 <= agreement(one, other) == agreement(other, one) <= 1.0


def test_a_model_is_believed_from_the_limit_on() -> None:
    assert believed(-0.5, -0.5).accepted
    assert not believed(-0.51, -0.5).accepted


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(json_values)
def test_an_empty_schema_takes_everything(value: object) -> None:
    assert list(problems(value, {})) == []


@given(json_values, json_values)
def test_a_schema_without_unknown_keywords_never_fails_to_judge(schema: object, value: object) -> None:
    if isinstance(schema, dict) and not list(unknown_keywords(schema)):
        list(problems(value, schema))


@pytest.mark.parametrize(
    "schema",
    [{"oneOf": []}, {"type": "text"}, {"properties": {"a": {"format": "date"}}}, {"items": {"if": {}}}, [],
     {"minimum": "1"}, {"pattern": "("}, {"required": "a"}, {"additionalProperties": {}}, {"properties": 5}],
)  # fmt: skip
def test_what_is_not_understood_is_named(schema: object) -> None:
    assert list(unknown_keywords(schema))


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[1,", "```\nno\n```", "[" * 100_000])
def test_what_is_not_json_is_told(text: str) -> None:
    assert well_formed(text, Check(Kind.JSON)).sentence == "it is not JSON"
