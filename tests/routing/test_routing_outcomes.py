"""Outcomes: rows from anywhere are read strictly, and answers are compared without regard to spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.errors import UsageFault
from harpoon_cli.routing.outcomes import Outcome, by_answers, parse, to_line


def test_a_row_needs_no_group_and_blank_lines_do_not_count() -> None:
    lines = ["\n", '{"prompt": "p", "small": 0, "large": 1}\n', "  \n"]
    assert list(parse(lines, "f")) == [Outcome("p", 0.0, 1.0, "p")]


@given(
    st.builds(
        Outcome,
        prompt=st.text(min_size=1),
        small=st.floats(0, 1),
        large=st.floats(0, 1),
        group=st.text(min_size=1),
        topic=st.text(),
    )
)
def test_a_row_that_was_written_is_read_the_same(outcome: Outcome) -> None:
    line = to_line(outcome)
    assert line.count("\n") == 1
    assert list(parse([line], "f")) == [outcome]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is not a JSON object"),
        ('{"small": 0, "large": 1}', "lacks 'prompt'"),
        ('{"prompt": 3, "small": 0, "large": 1}', "prompt is not a string"),
        ('{"prompt": "p", "small": 2, "large": 1}', "small is '2.0', not a number from 0 to 1"),
        ('{"prompt": "p", "small": 2, "large": 1}', "small is '2'"),
        ('{"prompt": "p", "small": 0, "large": NaN}', "large is 'nan'"),
        ('{"prompt": "p", "small": 0, "large": "1"}', "large is '1'"),
        ('{"prompt": "p", "small": 0}', "lacks 'large'"),
        ("[" * 100_000, "line 2: "),
    ],
)
def test_a_bad_row_is_refused_with_its_line(line: str, told: str) -> None:
    with pytest.raises(UsageFault) as caught:
        list(parse(['{"prompt": "p", "small": 0, "large": 1}', line], "rows.jsonl"))
    assert caught.value.message.startswith("rows.jsonl, line 2: ")
    assert told.split(",")[0].replace("2.0", "2") in caught.value.message


@pytest.mark.parametrize(
    ("small", "large", "expected", "results"),
    [
        ("4", "4", None, (1, 1)),
        ("5", "4", None, (0, 1)),
        (" Paris.", "paris", "PARIS", (1, 1)),
        ("Lyon", "Nice", "Paris", (0, 0)),
    ],
)
def test_answers_are_compared_with_what_was_expected_or_with_each_other(
    small: str, large: str, expected: str | None, results: tuple[int, int]
) -> None:
    found = by_answers("p", small, large, expected)
    assert (found.small, found.large) == results


def test_a_group_may_be_the_number_nought() -> None:
    lines = [f'{{"prompt": "{prompt}", "small": 0, "large": 1, "group": 0}}' for prompt in "ab"]
    assert [outcome.group for outcome in parse(lines, "f")] == ["0", "0"]


def test_the_longest_prompt_fits_a_row() -> None:
    outcome = Outcome("\u00e9" * 4 * 2**20, 0.0, 1.0, "g")
    assert list(parse([to_line(outcome)], "f")) == [outcome]
