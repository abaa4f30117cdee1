"""Reads files of one record a line, which anybody may have written: bounded, and every fault by its line."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import TypeVar

from harpoon_cli.client.wire import Fields, parse_json
from harpoon_cli.errors import GarbledAnswer, UsageFault

T = TypeVar("T")

LONGEST_LINE_BYTES = 16 * 2**20
"""Longer than any prompt that a model of today can read."""

LONGEST_SKIP_BYTES = 2**30
"""How much of an overlong line is read past in search of its end."""


def open_file(path: Path) -> BufferedReader:
    """A regular file, to be read as bytes; `UsageFault` for anything that is none or cannot be read."""
    try:
        # A pipe or a device could wait or run for ever, and a plan is read more than once.
        if not stat.S_ISREG(path.stat().st_mode):
            hint = "name a file in it" if path.is_dir() else "name a regular file, no pipe or device"
            raise UsageFault(f"{path} is not a file", hint=hint)
        return path.open("rb")
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise UsageFault(f"{path} cannot be read: {reason}", hint=_instead_of(path)) from cause


def _instead_of(path: Path) -> str:
    """What may have been meant by a file that cannot be read: one of a like name beside it."""
    from difflib import get_close_matches  # only this error needs it

    with suppress(OSError, ValueError):
        there = [one.name for one in path.absolute().parent.iterdir() if one.is_file()]
        if near := get_close_matches(path.name, there, n=1, cutoff=0.6):
            return f"{path.parent / near[0]} is there; or name a file that you may read"
    return f"name a file that is there and that you may read: ls -l {path.parent}"


def records(path: Path, read: Callable[[str], T | None], bad_rows: int = 0, skip: int = 0) -> Iterator[T]:
    """What `read` makes of each line that is not blank, lazily; None of its values are left out.

    read raises ValueError or `GarbledAnswer` for a bad line. More than `bad_rows` of those are a `UsageFault`
    that names the file and the line. The first `skip` lines that are not blank are not read.
    """
    bad = 0
    for number, line in islice(_lines(path), skip, None):
        try:
            found = read(text_of(line))
        except (ValueError, GarbledAnswer) as cause:
            bad += 1
            if bad > bad_rows:
                raise _bad_row(path, number, cause, bad) from cause
            continue
        if found is not None:
            yield found


def text_of(line: bytes) -> str:
    """A line's text, without a mark of the byte order; ValueError for what is too long or not UTF-8."""
    if len(line) > LONGEST_LINE_BYTES:
        raise ValueError(f"the line is longer than {LONGEST_LINE_BYTES // 2**20} MB")
    if b"\0" in line:
        raise ValueError("the line holds NUL bytes: this is binary data, not text")
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as cause:
        raise ValueError(f"the line is not UTF-8 text (byte {cause.start})") from cause


def fields(text: str, what: str) -> Fields:
    """The fields of a JSON object; `GarbledAnswer` for anything else."""
    return Fields(parse_json(text.encode()), what)


def first_line(path: Path) -> str:
    """The first line that is not blank, "" where there is none; ValueError where it is no text."""
    return next((text_of(line) for _, line in _lines(path)), "")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number; of an overlong one, one byte more than is allowed."""
    with open_file(path) as file:
        number = 0
        try:
            while line := file.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                if not line.isspace():
                    yield number, line
                if len(line) > LONGEST_LINE_BYTES and not line.endswith(b"\n"):
                    _skip_line(file)
        except OSError as cause:
            raise UsageFault(f"{path} cannot be read after line {number}: {cause.strerror}") from cause


def _skip_line(file: BufferedReader) -> None:
    skipped = 0
    while skipped < LONGEST_SKIP_BYTES:
        piece = file.readline(2**20)
        skipped += len(piece)
        if not piece or piece.endswith(b"\n"):
            return
    file.seek(0, 2)


def _bad_row(path: Path, number: int, cause: Exception, bad: int) -> UsageFault:
    message = f"{path}, line {number}: {cause}"
    if bad == 1:
        return UsageFault(message, hint="mend the line, or let some be left out: bad_rows=100")
    return UsageFault(f"{message}; this is bad row {bad}", hint="mend the file, or let more be left out")
