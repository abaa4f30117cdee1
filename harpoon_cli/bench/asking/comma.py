"""Rows of comma-separated values by the names of their columns, read a line at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence

from harpoon_cli.bench.traces import Row

NUMBER_CAP = 40
"""Characters a number may have."""


def cells(line: str) -> list[str]:
    """The values of one line; ValueError for what is not comma-separated."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as cause:
        raise ValueError(f"this is not comma-separated: {cause}") from cause


def names(header: str) -> list[str]:
    """The columns a header names, in lower case without blanks at their ends; none where it is not one."""
    try:
        return [name.strip().lower() for name in cells(header)]
    except ValueError:
        return []


def places(header: str, wanted: Sequence[str]) -> dict[str, int]:
    """In which place each wanted column is; ValueError names those that are missing."""
    found = names(header)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"the header has no column {' or '.join(missing)}")
    return {name: found.index(name) for name in wanted}


def picked(line: str, where: Mapping[str, int]) -> dict[str, str]:
    """The wanted columns' values on a line; ValueError where it is too short."""
    values = cells(line)
    if len(values) <= max(where.values()):
        raise ValueError(f"the row has only {len(values)} columns")
    return {name: values[place].strip() for name, place in where.items()}


def reader(
    header: str, columns: tuple[str, str, str], seconds: Callable[[str], float]
) -> Callable[[str], Row | None]:
    """What makes a request of one line below a header: of its time, by `seconds`, and its two lengths.

    columns are those of the time, the prompt's tokens and the answer's. A row without an answer is none; see
    `traces` for the rest.
    """
    where: dict[str, int] = {}
    when, prompt, answer = columns

    def read(text: str) -> Row | None:
        if not where:  # at the first row, so that a bad header is told as a fault of the file
            where.update(places(header, [name.lower() for name in columns]))
        values = picked(text, where)
        made = tokens(answer, values[answer.lower()])
        asked = tokens(prompt, values[prompt.lower()])
        at_s = seconds(values[when.lower()])
        return Row(at_s, asked, made) if made else None

    return read


def recognises(line: str, columns: Sequence[str]) -> bool:
    """Whether a header has all of some columns."""
    return {name.lower() for name in columns} <= set(names(line))


def tokens(name: str, text: str) -> int:
    """A number of tokens, also one written as 12.0; ValueError for anything else."""
    try:
        value = float(text) if len(text) <= NUMBER_CAP else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**53 or value != int(value):
        raise ValueError(f"{name} is {text[:NUMBER_CAP]!r}, not a number of tokens")
    return int(value)
