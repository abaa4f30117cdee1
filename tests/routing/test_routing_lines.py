"""Lists without labels: one option a line is read like one with labels; what is no list is left alone."""

from __future__ import annotations

import pytest

from harpoon_cli.routing.lines import listed
from harpoon_cli.routing.reading import read

QUESTION = "Which of these is a tort?"
OPTIONS = ["assault on a guest", "perjury in court", "treason", "tax fraud"]
LABELLED = "\n".join([QUESTION, *(f"{label}. {one}" for label, one in zip("ABCD", OPTIONS, strict=True))])


@pytest.mark.parametrize("form", ["{}", "- {}", "* {}", "+ {}", "• {}", "  {}  ", "\t{}\r"])
def test_one_option_a_line_is_read_like_a_list_with_labels(form: str) -> None:
    assert read("\n".join([QUESTION, *map(form.format, OPTIONS)])) == read(LABELLED)


@pytest.mark.parametrize(
    "form", ["({})%s", "{})%s", "{}.%s", "{} - %s", "- {}. %s", "**{}.** %s", "({}) %s", "<{}> %s"]
)
def test_labels_may_be_glued_to_their_options_or_stand_before_a_dash(form: str) -> None:
    lines = [form.format(label) % one for label, one in zip("ABCD", OPTIONS, strict=True)]
    assert read("\n".join([QUESTION, *lines])) == read(LABELLED)


def test_roman_numbers_are_labels() -> None:
    lines = [f"{label}. {one}" for label, one in zip(["i", "ii", "iii", "iv"], OPTIONS, strict=True)]
    assert read("\n".join([QUESTION, *lines])) == read(LABELLED)


def test_the_options_begin_after_the_last_line_that_asks() -> None:
    stem = "A guest is hit.\nThe host looks on.\nWhat is it?"
    assert read("\n".join([stem, *OPTIONS])).options == tuple(OPTIONS)


@pytest.mark.parametrize("frame", ["```text\n{}\n```", "You are a helpful assistant.\n\n{}", "\n\n{}\n\n"])
def test_what_frames_a_list_without_labels_does_not_hide_where_it_begins(frame: str) -> None:
    plain = "\n".join(["The term tort refers to", *OPTIONS])
    assert read(frame.format(plain)).options == read(plain).options == tuple(OPTIONS)


@pytest.mark.parametrize("text", ["x is y.\n[asy]\ndraw(x);\nfill(y);", "f is odd.\nDEF f(x)\nIF x\n3"])
def test_case_does_not_decide_what_a_list_is(text: str) -> None:
    assert read(text).options == read(text.upper()).options == read(text.lower()).options == ()


@pytest.mark.parametrize(
    "text",
    [
        "One line?\ntwo\nthree",
        "Fix this:\ndef f(x):\n    y = x\n    return y\n",
        "Let f be a function.\nIt is even.\nIt is smooth.\nWhat is f(0)?",
        "Summarise:\n" + "\n".join(["a paragraph of many words " * 20] * 3),
        LABELLED,
    ],
)
def test_what_is_no_list_without_labels_is_left_as_it_is(text: str) -> None:
    assert listed(text) == text
