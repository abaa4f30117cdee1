"""What may reach a terminal from somebody else, said without a look at how harpoon makes it so."""

from __future__ import annotations

import re
import unicodedata

DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Format characters that are number signs: they have a shape and do nothing."""

JOINERS = "\u200c\u200d"

POWERS = {
    "OSC 52 sets the clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "OSC 8 hides a link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "OSC 0 sets the title": "\x1b]0;owned\x07",
    "DCS asks the terminal": "\x1bP$q q\x1b\\",
    "CSI clears the screen": "\x1b[2J\x1b[3J\x1b[H",
    "C1 does the same": "\x9b2J\x9d0;owned\x9c\x90q\x9c",
    "APC and PM": "\x1b_x\x1b\\\x1b^x\x1b\\\x9e\x9f",
    "reset and charset": "\x1bc\x1b(0\x0e\x0f",
    "carriage return overwrites": "safe\rowned\x08\x08\x7f",
    "bell, form feed, vertical tab, NUL": "\x07\x0c\x0b\x00\x1a",
    "bidi reorders": "\u202eevil\u202c\u2066a\u2069\u200e\u200f\u061c\u202a\u202b\u202d\u2067\u2068",
    "nothing is drawn": "po\u200bol\u2060\ufeff\u00ad\u034f\u115f\u3164\u180e\u2062",
    "joiners in a name": "po\u200dol\u200c",
    "tags": "\U000e0041\U000e0042\U000e007f\U000e0100",
    "line separators": "a\u2028b\u2029c\u0085d",
    "lone surrogates": "\ud83d \udcff\udc9b \ude00",
    "a table's own": "cell\tcell\nline\r\nline",
    "markup": "[bold red]x[/] [link=https://evil.example]y[/link] :smile: {0} %s \\[z]",
    "escapes of escapes": "\\x1b[2J \\u202e %1b",
}


def harmful(text: str) -> list[str]:
    """The characters that a terminal would act on, or not draw; our colours, tab and newline are none."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    suspects = ((found.start(), found[0]) for found in re.finditer(r"[^ -~\n\t]", bare))
    return [
        f"{place}: {character!r} in {bare[max(0, place - 20) : place + 20]!r}"
        for place, character in suspects
        if _is_harmful(bare, place, character)
    ]


def _is_harmful(text: str, place: int, character: str) -> bool:
    if character in DRAWN:
        return False
    if character in JOINERS:
        beside = (text[place - 1 : place], text[place + 1 : place + 2])
        return any(not one or one.isascii() or one in JOINERS for one in beside)
    return (
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in "\u115f\u1160\u3164"
    )
