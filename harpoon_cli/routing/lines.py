"""Finds a list of options that has one a line, and writes it so that `layout` can see it; judges no words.

Options without labels get bullets: of them line breaks are all that tells the list. Where a list has labels,
or there is none, line breaks do not matter.
"""

from __future__ import annotations

import re

from harpoon_cli.routing.filler import frames

LINE = "<*>"
"""The bullet of a list whose lines are all that tells it."""

_FEWEST, _MOST = 3, 26
_LONGEST = 400
"""Characters in an option; longer lines are paragraphs."""

_LONGEST_TEXT = 32_768
"""Characters in a prompt; in a longer one no list without labels is looked for."""

_BULLETED = tuple(f"{bullet} " for bullet in "-*+\u2022\u2013\u2014\u00b7")
_ENDS_OF_STEM = ("?", ":", "_", "\u2026", "...")
_LABEL = re.compile(r"\W{0,4}(?:[a-z]|\d\d?|[ivx]{1,4})(?:[)\]>:]|\.(?!\d)|\s+[-\u2013\u2014|>])")
_GLUED = re.compile(r"(?m)^\s*([(\[]?(?:[a-zA-Z]|\d\d?)[)\]]|[a-zA-Z][.:](?=[^\W\d_]{2}))(?=\S)")
"""A label and its option in one piece: (a)red, b.blue."""

_LEVELLED = 12
"""Characters at the start of a line that tell what it is."""

_FENCES = ("```", "~~~")
_NO_OPTION = (
    *("[asy", "}", "\\[", "\\begin", "$$", "#", "//", "`"),
    *("import ", "def ", "return ", "if ", "for "),
)
"""What lines of code, drawings and formulas on their own start with."""


def listed(text: str) -> str:
    """The text with a bullet before each line of its last list without labels, and no label glued on."""
    if len(text) > _LONGEST_TEXT or text.count("\n", 0, -1) < _FEWEST:
        return text
    lines = list(filter(None, map(str.strip, text.split("\n"))))
    if "`" in text or "~" in text:
        lines = [line for line in lines if not line.startswith(_FENCES)]
    first = _first_option(lines)
    if first is None:
        return _GLUED.sub(r"\1 ", text) if lines and _GLUED.match(lines[-1]) else text
    # What a line has for a bullet is no part of it.
    options = (
        f"{LINE} {line.removeprefix(line[0]).strip() if line[:2] in _BULLETED else line}"
        for line in lines[first:]
    )
    return "\n".join([*lines[:first], *options])


def _first_option(lines: list[str]) -> int | None:
    """The place of the first option: after the last line that asks, else after the first that says much."""
    last = len(lines) - _FEWEST
    asking = (at + 1 for at in range(last - 1, -1, -1) if lines[at].endswith(_ENDS_OF_STEM))
    first = next(asking, None) or next((at + 1 for at in range(last) if not frames(lines[at])), 1)
    options = lines[first:]
    if not _FEWEST <= len(options) <= _MOST or options[-1].endswith("?"):
        return None
    labels = set()
    for start in map(_levelled, options):
        labels.add(label[0] if (label := _LABEL.match(start)) else "")
        # The same label on all of them is no label: "(a) 3 V, (b) 2 A" as one option of several.
        if len(labels) > 1 or start.startswith(_NO_OPTION):
            return None
    return first if max(map(len, options)) <= _LONGEST else None


def _levelled(line: str) -> str:
    return line[:_LEVELLED].upper().casefold()
