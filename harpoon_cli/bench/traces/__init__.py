"""Formats of recorded traces, one a file; adding a file adds a format. They are read as they are needed.

Every file has `recognises(first_line)`, whether a file that begins so is of its format, and
`reader(first_line)`: how many lines come before the rows (0 or 1), and what makes a `Row` of one line's text,
None of one that holds no request; it raises ValueError or `GarbledAnswer` for a bad one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Protocol, cast

from harpoon_cli.bench.asking.rows import first_line, records
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import COUNT_OR_NONE, PATH, SECONDS, Kind
from harpoon_cli.discovery import Folder
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

FOLDER = Folder(__name__, __path__, "trace format")
AUTO = "auto"

LONGEST_TOKENS = 10_000_000
"""The longest prompt or answer of a trace, in tokens; more is a mistake in the file."""


def _format(text: str) -> str:
    if text != AUTO and text not in FOLDER.names():
        raise ValueError(f"is not one of: {', '.join((AUTO, *FOLDER.names()))}")
    return text


File = Annotated[Path, Parameter(PATH, "the trace file")]
Format = Annotated[str, Parameter(Kind(AUTO, _format), "its format; auto looks at its first line")]
Start = Annotated[float, Parameter(SECONDS, "where in the trace to begin", "from")]
BadRows = Annotated[int, Parameter(COUNT_OR_NONE, "how many rows may be unreadable and left out")]


class Row(Struct, frozen=True):
    """One request of a trace.

    at_s is seconds from whatever the file counts from; `rows` makes it seconds after the file's first row.
    blocks name the prompt's parts of `block_tokens` tokens, the last may be shorter: two rows that begin
    with the same names begin with the same text. prompt is the text itself, where the trace has it.
    """

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[str, ...] = ()
    block_tokens: int = 0
    prompt: str | None = None


class TraceFormat(Protocol):
    """A file of this folder."""

    def recognises(self, line: str) -> bool: ...

    def reader(self, line: str) -> tuple[int, Callable[[str], Row | None]]: ...


def rows(path: Path, format_name: str = AUTO, from_s: float = 0.0, bad_rows: int = 0) -> Iterator[Row]:
    """The rows of a trace in order of time, from `from_s` seconds after the first one on; read as needed.

    `UsageFault`: at once where the file cannot be read, is of no known format, or has no rows from there on;
    later, with the line's number, at a bad row beyond `bad_rows`. A row that goes back in time is bad.
    """
    try:
        head = first_line(path)
    except ValueError as cause:
        raise UsageFault(f"{path}, line 1: {cause}") from cause
    skip, read = _format_of(path, head, format_name).reader(head)
    found = records(path, _in_order(read), bad_rows, skip)
    wanted = (row for row in found if row.at_s >= from_s)
    first = next(wanted, None)
    if first is None:
        raise UsageFault(f"{path} has no requests" + (f" {from_s:g} s after its first" if from_s else ""))
    return chain((first,), wanted)


def _format_of(path: Path, head: str, name: str) -> TraceFormat:
    if name != AUTO:
        return cast(TraceFormat, FOLDER.module(name))
    known = (cast(TraceFormat, FOLDER.module(name)) for name in FOLDER.names())
    for one in known:
        if one.recognises(head):
            return one
    formats = ", ".join(FOLDER.names())
    raise UsageFault(
        f"{path} is in no known trace format",
        hint=f"if it is in one of these, name it with format=: {formats}",
    )


def _in_order(read: Callable[[str], Row | None]) -> Callable[[str], Row | None]:
    """The same reader, with times counted from the first row; ValueError for one that is before the last."""
    begins_s: float | None = None
    last_s = 0.0

    def checked(text: str) -> Row | None:
        nonlocal begins_s, last_s
        row = read(text)
        if row is None:
            return None
        if max(row.input_tokens, row.output_tokens) > LONGEST_TOKENS:
            raise ValueError(f"a length is more than {LONGEST_TOKENS:,} tokens")
        if begins_s is None:
            begins_s = last_s = row.at_s
        if row.at_s < last_s:
            raise ValueError("the row is before the one above it in time")
        last_s = row.at_s
        return Row(
            row.at_s - begins_s, row.input_tokens, row.output_tokens, row.blocks, row.block_tokens, row.prompt
        )

    return checked
