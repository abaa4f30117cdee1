"""The one place that makes remote text harmless to a terminal; it changes characters and nothing else.

Whatever could move the cursor, start an escape sequence, reorder a line or hide is shown as an escape such as
`\\x1b` or `\\u202e`. Letters, brackets and backslashes stay letter for letter. But for the two joiners, one
character decides by itself; `flow` shows a text piece by piece as it would come out whole.
"""

from __future__ import annotations

import re
from functools import cache

DANGEROUS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # drawn as nothing: soft hyphen, joiners, fillers
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings and isolates that reorder a line
    "\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"  # no width, deprecated or annotating
    "\u2028\u2029"  # line and paragraph separators
    "\ufffe\uffff\ud800-\udfff"  # no characters, and halves of one
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # hieroglyph, shorthand, music controls
    "\U000e0000-\U000e0fff"  # tags and the selectors that can smuggle text
)
"""The inside of a character class. The visible Arabic number signs and the variation selectors up to U+FE0F
are not in it."""

JOINERS = "\u200c\u200d"
"""They are drawn as nothing, and can hide in a name; emoji, Persian and Indic scripts cannot do without."""

_JOINED = (
    "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af"  # Arabic to Mongolian: letters change beside them
    "\u2190-\u21ff\u2300-\u2bff\ufe0f\U0001f000-\U0001faff"  # what emoji are made of
)
"""A joiner between two of these is left as it is; any other is shown."""


def visible(text: str, *, newlines: bool) -> str:
    """`text` with every dangerous character shown as an escape.

    With newlines=False the result is one line without tabs: they become `\\n` and `\\t`; with True both stay.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = dangerous().sub(lambda run: run[0].translate(_ESCAPES), text)
    return shown if newlines else shown.replace("\n", "\\n").replace("\t", "\\t")


@cache
def dangerous() -> re.Pattern[str]:
    """Matches a run of dangerous characters; tab and newline are none. Compiled once, when first needed."""
    return re.compile(f"[{DANGEROUS}]+|(?<![{_JOINED}])[{JOINERS}]|[{JOINERS}](?![{_JOINED}])")


class _Escapes(dict[int, str]):
    """Code points to their escapes, worked out when first met."""

    def __missing__(self, code: int) -> str:
        self[code] = escape = chr(code).encode("unicode_escape", "surrogatepass").decode("ascii")
        return escape


_ESCAPES = _Escapes()
