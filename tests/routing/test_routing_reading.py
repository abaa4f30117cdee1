"""Reading a prompt: spelling in case and white space cannot matter, and nothing is too long or too odd."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.routing import Candidate, Decision, Policy, decide
from harpoon_cli.routing.filler import said
from harpoon_cli.routing.reading import CHARACTERS_READ, WORDS_READ, estimate_tokens, read

CROWD = [
    Candidate(Model("small", 1024, 1.0, 10**9, "s")),
    Candidate(Model("large", 32_768, 40.0, 10**9, "l")),
]
SPACES = st.text(" \t\r\f\v\u00a0\u2003\u2028\u3000", min_size=1, max_size=4)

words = st.sampled_from(
    ["prove", "Why", "JSON", "3.14", "x == y", "Übersetze", "да", "翻译", "f(x)", "?", "summarise"]
)
prompts = st.lists(words | st.text(max_size=12), max_size=30).map(" ".join)


def choice(text: str) -> Decision:
    return decide(Prompt(text), CROWD, Policy())


@given(prompts)
def test_case_never_changes_a_score(text: str) -> None:
    level = read(text)
    assert read(text.upper()) == level
    assert read(text.casefold().upper()) == level


@given(st.text(st.characters(max_codepoint=0x17F, exclude_categories=["Cs"])))
def test_case_of_european_letters_never_changes_a_score(text: str) -> None:
    assert read(text.lower()) == read(text.upper()) == read(text.swapcase()) == read(text)


@given(st.lists(words, min_size=1, max_size=30), st.data())
def test_the_amount_and_kind_of_white_space_never_changes_a_score(
    pieces: list[str], data: st.DataObject
) -> None:
    spaced = "".join(data.draw(SPACES) + piece for piece in pieces) + data.draw(SPACES)
    assert choice(spaced).score == choice(" ".join(pieces)).score


@given(st.lists(words, min_size=1, max_size=30))
def test_line_breaks_never_change_a_score_where_they_are_not_all_that_tells_a_list(pieces: list[str]) -> None:
    options = "A. red\nB. green\nC. blue"
    text = f"{' '.join(pieces)}\n{options}"
    assert read(text) == read(text.replace("\n", " ")) == read(text.replace("\n", "\r\n\r\n"))
    assert read("\n".join(pieces[:3])) == read(" ".join(pieces[:3]))


@given(prompts)
def test_composed_and_decomposed_letters_are_the_same_letters(text: str) -> None:
    assert read(unicodedata.normalize("NFD", text)) == read(unicodedata.normalize("NFC", text))


@given(st.text(st.characters(), max_size=300))
def test_any_text_at_all_gets_a_finite_score(text: str) -> None:
    assert math.isfinite(choice(text).score.total)


def test_lone_surrogates_from_a_command_line_are_read() -> None:
    assert math.isfinite(choice("caf\udce9 why?").score.total)


@pytest.mark.parametrize(
    "text",
    [
        "why " * 2_500_000,
        "a" * 10_000_000,
        "漢" * 10_000_000,
        "1," * 5_000_000,
        "\\" * 10_000_000,
        "\ufdfa" * 1_000_000,
    ],
    ids=["words", "one word", "no spaces", "numbers", "backslashes", "ligatures"],
)
def test_of_a_ten_megabyte_prompt_only_the_ends_are_read(text: str) -> None:
    reading = read(text)
    assert not reading.whole
    assert len(reading.text) <= 2 * CHARACTERS_READ + 3
    assert math.isfinite(choice(text).score.total)


def test_ten_megabytes_of_blanks_are_an_empty_prompt() -> None:
    assert read(" " * 10_000_000) == read("")


def test_a_long_prompt_keeps_its_first_and_its_last_words() -> None:
    reading = read("first " + "middle " * 3 * WORDS_READ + "last")
    assert reading.words["first"] == reading.words["last"] == 1
    assert not reading.whole


def test_every_letter_and_digit_there_is_belongs_to_words_and_nothing_else_but_apostrophes() -> None:
    others = set(".?!:'\u2019")
    characters = [chr(code) for code in (*range(0x3400), *range(0x3400, 0x110000, 97))]
    tried = [one for one in characters if one not in others]
    _, found = said(" ".join(f"x{one}y" for one in tried))
    assert found == [part for one in tried for part in ([f"x{one}y"] if one.isalnum() else ["x", "y"])]


@given(st.lists(st.characters(), min_size=1, max_size=8).map("".join))
def test_an_odd_character_among_ascii_is_levelled_as_anywhere(odd: str) -> None:
    whole = f"{'Xylem' * 40}{odd}H{odd}Ylem"
    folded = unicodedata.normalize("NFKC", whole).upper().casefold()
    expected = read(unicodedata.normalize("NFKC", folded))
    assert read(whole) == expected


def test_an_ordinary_prompt_is_read_whole() -> None:
    decision = choice("word " * 2 * WORDS_READ)
    assert not decision.score.whole
    assert choice("word " * 1000).score.whole


@given(st.text(max_size=500))
def test_tokens_are_estimated_between_a_quarter_and_one_per_character(text: str) -> None:
    assert math.ceil(len(text) / 4) <= estimate_tokens(Prompt(text)) <= len(text)


def test_the_system_text_is_part_of_the_estimate() -> None:
    assert estimate_tokens(Prompt("a" * 8, system="b" * 8)) == 4
