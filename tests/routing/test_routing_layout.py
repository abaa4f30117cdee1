"""Layout: labels, fences and courtesy are taken out, so that none of them can change a choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.routing.kinds import Kind, kind_of
from harpoon_cli.routing.reading import read
from harpoon_cli.routing.signals import discover

QUESTION = "Which of these is a tort?"
OPTIONS = ["assault on a guest", "perjury in court", "treason", "tax fraud"]
PLAIN = f"{QUESTION}\n" + "\n".join(f"{label}. {text}" for label, text in zip("ABCD", OPTIONS, strict=True))


def laid_out(form: str, between: str = "\n") -> str:
    labels = [form.format(letter=letter, number=number) for number, letter in enumerate("ABCD", start=1)]
    return f"{QUESTION}{between}" + between.join(
        f"{label} {text}" for label, text in zip(labels, OPTIONS, strict=True)
    )


@pytest.mark.parametrize(
    "form", ["{letter}.", "({letter})", "{letter})", "[{letter}]", "{letter}:", "**{letter}.**"]
)
@pytest.mark.parametrize("between", ["\n", " ", ", ", "; ", " | ", "\r\n\r\n"])
def test_labels_of_options_and_what_divides_them_are_not_read(form: str, between: str) -> None:
    assert read(laid_out(form, between)) == read(PLAIN)


@pytest.mark.parametrize("form", ["{number}.", "({number})", "{number})", "-", "*", "•"])
def test_numbers_and_bullets_are_labels_as_well(form: str) -> None:
    assert read(laid_out(form)) == read(PLAIN)


@pytest.mark.parametrize(
    "edit",
    [
        "Please answer the following question: {}",
        "You are a helpful assistant.\n\n{}",
        "Hi! Can you help me with this? {}",
        "Question: {}",
        "```\n{}\n```",
        "```text\n{}\n```",
        "~~~\n{}\n~~~",
    ],
)
def test_fences_and_sentences_that_only_frame_the_question_are_not_read(edit: str) -> None:
    assert read(edit.format(PLAIN)) == read(PLAIN)


@pytest.mark.parametrize("edit", ["{}\nPlease answer with the letter only.", "{} Thank you!", "{}\nAnswer:"])
def test_what_frames_the_question_from_behind_says_nothing(edit: str) -> None:
    framed, plain = read(edit.format(PLAIN)), read(PLAIN)
    assert framed.content == plain.content
    assert [signal.measure(framed) for signal in discover()] == [
        signal.measure(plain) for signal in discover()
    ]


def test_a_courtesy_is_all_there_is_to_read_where_there_is_nothing_else() -> None:
    assert read("Please help me.").text == "please help me."


def test_the_options_are_those_of_the_longest_list() -> None:
    assert read(PLAIN).options == ("assault on a guest", "perjury in court", "treason", "tax fraud")
    assert read("Given 1. this and 2. that: A. x1 B. x2 C. x3").options == ("x1", "x2", "x3")


def test_a_unit_that_looks_like_a_label_does_not_break_a_list() -> None:
    assert len(read("The current is A. 1500 A. B. 6000 A. C. 2121 A. D. 4242 A.").options) == 4


@pytest.mark.parametrize("text", ["5 - 3 - 2 - 1 =", "Is vitamin A. good?", "x - y - z - w", "1. only one"])
def test_what_is_no_list_has_no_options(text: str) -> None:
    assert read(text).options == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLAIN, Kind.FEW),
        ("Pick one: " + " ".join(f"{letter}. {letter}{letter}" for letter in "ABCDEFGH"), Kind.MANY),
        (r"Let $x$ be a root of \frac{1}{x} = x. Find all of them.", Kind.TEX),
        ("Tom buys 3 apples and Ann buys 5 pears, then both eat half of them. How many remain?", Kind.SUMS),
        (
            "It costs $20 and then $30 more for each guest at the large party. How much for seven guests?",
            Kind.SUMS,
        ),
        ("Why is the sky blue?", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_the_kind_of_a_prompt_is_its_form(text: str, kind: Kind) -> None:
    assert kind_of(read(text)) is kind


@given(st.text("aAbB12.):(-* `?", max_size=400))
def test_any_mess_of_labels_is_read_the_same_in_any_case(text: str) -> None:
    assert read(text.upper()) == read(text)


def test_very_many_labels_take_no_longer_than_other_words() -> None:
    assert len(read("a. " * 4000 + "b. " * 4000).options) >= 2
