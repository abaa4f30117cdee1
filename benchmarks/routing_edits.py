"""Edits of a prompt that change nothing about what is asked; a router's choice should not depend on them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_OPTION = re.compile(r"(?m)^([A-Z])\. ")


def _numbered(prompt: str) -> str:
    return _OPTION.sub(lambda label: f"{ord(label[1]) - 64}. ", prompt)


def _typo(prompt: str) -> str:
    """Two neighbouring letters of every fiftieth word of four letters or more swapped, at least of one."""
    chance = random.Random(prompt)
    pieces = re.split(r"(\s+)", prompt)
    places = [place for place, piece in enumerate(pieces) if len(piece) > 3 and piece.isalpha()]
    for place in chance.sample(places, -(-len(places) // 50)):
        word = pieces[place]
        at = chance.randrange(1, len(word) - 1)
        pieces[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return "".join(pieces)


EDITS: dict[str, list[Callable[[str], str]]] = {
    "case": [str.upper, str.lower, str.title],
    "spaces": [
        lambda prompt: f"  {prompt.replace(' ', '   ')}\n\n",
        lambda prompt: prompt.replace("\n", " "),
        lambda prompt: prompt.replace("\n", "\r\n\r\n"),
    ],
    "please": [
        lambda prompt: f"Please {prompt[0].lower()}{prompt[1:]}",
        lambda prompt: f"{prompt}\nPlease answer.",
        lambda prompt: f"Please answer the following question: {prompt}",
    ],
    "layout of options": [
        lambda prompt: _OPTION.sub(r"(\1) ", prompt),
        lambda prompt: _OPTION.sub(r"\1) ", prompt),
        _numbered,
        lambda prompt: _OPTION.sub("- ", prompt),
        lambda prompt: _OPTION.sub(r"(\1) ", prompt).replace("\n(", ", ("),
        lambda prompt: _OPTION.sub(r"(\1)", prompt),
        lambda prompt: _OPTION.sub(r"\1 - ", prompt),
        lambda prompt: _OPTION.sub(r"- \1. ", prompt),
        lambda prompt: _OPTION.sub(r"Option \1: ", prompt),
    ],
    "layout, labels left out": [lambda prompt: _OPTION.sub("", prompt)],
    "code fence": [lambda prompt: f"```\n{prompt}\n```", lambda prompt: f"```text\n{prompt}\n```"],
    "preamble": [
        lambda prompt: f"You are a helpful assistant.\n\n{prompt}",
        lambda prompt: f"I have a question for you. Can you help me with this?\n{prompt}",
        lambda prompt: f"Question: {prompt}\nAnswer:",
        lambda prompt: f"Hi! I am studying for an exam and got stuck here: {prompt}",
    ],
    "typos": [_typo],
}
"""By kind; the shares of choices that flip are averaged within a kind first."""
