"""Takes secrets out of what is printed, in every spelling that servers send back; it prints nothing.

A platform, or a proxy before it, may quote the key: as it is, in a URL, in JSON, or in a header's base64.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterator
from json import dumps
from urllib.parse import quote

from harpoon_cli.domain import Secret

SHORTEST = 6
"""What has fewer characters is guessed more quickly than found, and taking it out would tear words apart."""

_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""In contrast to `str.lower` this keeps the length of every text."""


class Veil:
    """Covers the secrets it was given, in upper and lower case, with `***`; without any it covers nothing."""

    def __init__(self, *secrets: Secret) -> None:
        keys = [secret.reveal() for secret in secrets]
        spelt = {form.translate(_LOWER) for key in keys if len(key) >= SHORTEST for form in _spellings(key)}
        self._spellings = sorted(spelt, key=lambda form: (-len(form), form))
        self._longest = max(map(len, spelt), default=0)
        self._starts = {form[0] for form in spelt}
        self._pattern = re.compile("|".join(map(re.escape, self._spellings)), re.IGNORECASE)

    def over(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub("***", text) if self._spellings else text

    def undecided(self, text: str) -> int:
        """How many characters at its end may begin a secret that the next piece of the text goes on with."""
        if not self._spellings:
            return 0
        ends = [found.end() for found in self._pattern.finditer(text)]
        tail = text[max([0, *ends, len(text) - self._longest + 1]) :].translate(_LOWER)
        begins = (at for at, first in enumerate(tail) if first in self._starts and self._begun(tail[at:]))
        return len(tail) - next(begins, len(tail))

    def _begun(self, part: str) -> bool:
        return any(form.startswith(part) for form in self._spellings)


def _spellings(key: str) -> Iterator[str]:
    raw = key.encode("utf-8", "surrogateescape")
    in_json, in_html = dumps(key)[1:-1], key
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        in_html = in_html.replace(sign, entity)
    yield from (key, quote(raw, safe=""), quote(raw), raw.hex())
    yield from (in_json, in_json.replace("/", "\\/"))
    yield from (in_html, in_html.replace('"', "&quot;").replace("'", "&#x27;"))
    for before in range(3):
        yield from _in_base64(raw, before)


def _in_base64(raw: bytes, before: int) -> Iterator[str]:
    """What is the same in the base64 of every text that has the key after `before` (modulo 3) bytes."""
    whole = b2a_base64(bytes(before) + raw, newline=False).decode("ascii")
    certain = whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
    if len(certain) >= SHORTEST:
        yield from (certain, certain.replace("+", "-").replace("/", "_"))


NO_VEIL = Veil()
