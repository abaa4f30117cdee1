"""A secret is covered in every spelling, whole or in pieces, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.domain import Secret
from harpoon_cli.render.flow import Flow
from harpoon_cli.render.terminal import Channel
from harpoon_cli.veil import NO_VEIL, Veil
from tests.security.secrets import CANARY, in_text, spellings

VEIL = Veil(Secret(CANARY))


@pytest.mark.parametrize("spelling", spellings())
def test_every_spelling_is_covered(spelling: str) -> None:
    shown = VEIL.over(f"before {spellings()[spelling]} after")
    assert in_text(shown) == []
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown


@pytest.mark.parametrize("text", ["", "sk-canary", "sk", "nothing of it", CANARY[1:], CANARY[:-1]])
def test_what_is_not_the_secret_stays(text: str) -> None:
    assert VEIL.over(text) == text


@pytest.mark.parametrize("key", ["", "a", "short"])
def test_what_is_too_short_for_a_secret_tears_no_word_apart(key: str) -> None:
    assert Veil(Secret(key)).over("a short banana") == "a short banana"


def test_without_secrets_every_text_stays_and_none_is_held_back() -> None:
    assert NO_VEIL.over("text") == "text"
    assert NO_VEIL.undecided("text") == 0


def test_several_secrets_are_all_covered() -> None:
    assert Veil(Secret("first-key"), Secret("other-key")).over("first-key, other-key") == "***, ***"


@pytest.mark.parametrize(
    ("text", "undecided"),
    [
        ("", 0),
        ("no", 0),
        ("s", 1),
        ("this", 1),
        ("an SK-Can", 6),
        (CANARY, 0),
        (f"{CANARY}s", 1),
        ("sk-s", 1),
    ],
)
def test_an_end_that_may_go_on_as_the_secret_is_undecided(text: str, undecided: int) -> None:
    assert VEIL.undecided(text) == undecided


parts = st.lists(
    st.sampled_from([*spellings().values(), CANARY[:9], CANARY[9:], "s", "sk-", "👩\u200d👩", "\u200d", "a"]),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(parts, st.integers(1, 7))
def test_in_pieces_it_comes_out_as_it_does_whole(texts: list[str], size: int) -> None:
    text = "".join(texts)
    flow, channel = Flow(), Channel(veil=VEIL)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    shown = "".join(flow.take(piece, channel) for piece in pieces) + flow.rest(channel)
    assert shown == channel.safe(text, newlines=True)
    assert CANARY.lower() not in shown.lower()


def test_a_key_that_ends_as_it_begins_is_never_shown_but_for_its_end() -> None:
    key = "abXYZXYZab"
    flow, channel = Flow(), Channel(veil=Veil(Secret(key)))
    shown = "".join(flow.take(letter, channel) for letter in f"{key}{key}c") + flow.rest(channel)
    assert shown == "******c"
