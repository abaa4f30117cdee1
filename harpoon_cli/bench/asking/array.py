"""Reads the objects of one large JSON array, or of JSON lines, one after another and never all at once."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

from harpoon_cli.bench.asking.rows import open_file
from harpoon_cli.errors import UsageFault

PIECE_BYTES = 256 * 1024
LONGEST_OBJECT_CHARACTERS = 16 * 2**20
_BETWEEN = " \t\r\n,"


def objects(path: Path) -> Iterator[tuple[int, object]]:
    """Each object with its number, from 1 on; `UsageFault` names the one where the file stops being JSON."""
    window = _Window(path)
    number = 1
    begin = window.next_visible()
    if begin == "[":
        window.step()
        begin = window.next_visible()
    while begin and begin != "]":
        try:
            yield number, window.value()
        except (ValueError, RecursionError) as cause:
            why = "nested too deeply" if isinstance(cause, RecursionError) else str(cause)
            raise UsageFault(f"{path}, record {number}: {why}") from cause
        number += 1
        begin = window.next_visible()


class _Window:
    """The part of the file that is looked at."""

    def __init__(self, path: Path) -> None:
        self._pieces = _pieces(path)
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def next_visible(self) -> str:
        """The character at which the next value begins, "" at the end of the file."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BETWEEN:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def step(self) -> None:
        self._at += 1

    def value(self) -> object:
        """The object that begins here; ValueError where there is none."""
        if self._text[self._at] != "{":
            raise ValueError("this is not a JSON object")
        while True:
            try:
                found: object
                found, self._at = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as cause:
                if len(self._text) - self._at > LONGEST_OBJECT_CHARACTERS or not self._double():
                    raise ValueError(f"this is not JSON ({cause.msg})") from cause
            else:
                return found

    def _double(self) -> bool:
        """Look at twice as much: an object is not parsed again for every piece of it."""
        wanted = 2 * (len(self._text) - self._at)
        grown = self._more()
        while grown and len(self._text) < wanted and self._more():
            pass
        return grown

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)


def _pieces(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with open_file(path) as file:
        try:
            while content := file.read(PIECE_BYTES):
                if text := decoder.decode(content):
                    yield text
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as cause:
            raise UsageFault(f"{path} is not UTF-8 text") from cause
        except OSError as cause:
            raise UsageFault(f"{path} cannot be read: {cause.strerror}") from cause
