"""Remote text cannot act on a terminal, and what is harmless in it stays as it was."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.render.safe import visible

from .samples import HOSTILE, HOSTILE_SHOWN

JOINERS = "\u200c\u200d"  # needed by emoji, Persian and Indic scripts, and kept inside them only
texts = st.text(
    st.characters(codec=None)
    | st.sampled_from([chr(code) for code in range(0xA1)])
    | st.sampled_from("\x1b\x9b\u202e\u2066\u200b\ud800\udfff\U000e0041\ufeff[]\\")
)


def is_harmless(character: str) -> bool:
    if character in JOINERS or 0x600 <= ord(character) <= 0x8E2:  # Arabic number signs are drawn
        return character != "\u061c"
    if character in "\U000110bd\U000110cd":  # Kaithi number signs are drawn
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


@settings(max_examples=1_000, deadline=None)
@given(texts)
def test_no_random_text_keeps_a_control_or_a_hidden_format_character(text: str) -> None:
    shown = visible(text, newlines=False)
    assert all(map(is_harmless, shown))
    assert shown.encode() is not None
    assert visible(shown, newlines=False) == shown


@settings(max_examples=500, deadline=None)
@given(texts)
def test_newlines_and_tabs_stay_where_they_are_wanted(text: str) -> None:
    shown = visible(text, newlines=True)
    assert all(character in "\n\t" or is_harmless(character) for character in shown)
    assert shown.count("\n") == text.count("\n")


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_stays_letter_for_letter(text: str) -> None:
    assert visible(text, newlines=False) == text


def test_every_code_point_but_the_kept_ones_is_shown_without_its_power() -> None:
    everything = [chr(code) for code in range(0x110000)]
    shown = visible("".join(everything), newlines=False)
    assert all(map(is_harmless, shown))
    changed = [character for character in everything if visible(character, newlines=False) != character]
    letters = [character for character in changed if unicodedata.category(character)[0] in "LNPS"]
    assert {unicodedata.name(letter) for letter in letters} == {
        "HANGUL CHOSEONG FILLER",
        "HANGUL JUNGSEONG FILLER",
        "HANGUL FILLER",
        "HALFWIDTH HANGUL FILLER",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, HOSTILE_SHOWN),
        ("100 %\rfree", "100 %\\rfree"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("line\u2028and\u2029paragraph", "line\\u2028and\\u2029paragraph"),
        ("\x1bP1$r\x1b\\", "\\x1bP1$r\\x1b\\"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_could_act_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text, newlines=False) == shown


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם",
        "مرحبا بالعالم",
        "می‌خواهم",
        "क्‍ष",
        "日本語 한국어",
        "👩‍👩‍👧‍👦 ❤️ 👍🏽",
        "e\u0301 ñ",
        "[bold]x[/bold] :smile: \\x1b",
    ],
)
def test_every_script_emoji_and_bracket_is_kept(text: str) -> None:
    assert visible(text, newlines=False) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("po\u200dol", "po\\u200dol"),
        ("\u200cpool\u200d", "\\u200cpool\\u200d"),
        ("é\u200dé", "é\\u200dé"),
        ("م\u200d\u200cم", "م\\u200d\\u200cم"),
        ("👩\u200d", "👩\\u200d"),
    ],
)
def test_a_joiner_that_joins_nothing_is_shown(text: str, shown: str) -> None:
    assert visible(text, newlines=False) == shown


def test_ten_megabytes_of_escapes_are_all_shown() -> None:
    assert visible("\x1b" * 10_000_000, newlines=True) == "\\x1b" * 10_000_000
