"""The Mooncake traces: JSON lines with timestamp in milliseconds, input_length, output_length and hash_ids.

An id stands for a block of 512 tokens and everything before it, so equal ids at the beginning are a prefix
that two prompts share.
"""

from __future__ import annotations

from collections.abc import Callable

from harpoon_cli.bench.asking.rows import fields
from harpoon_cli.bench.traces import Row
from harpoon_cli.errors import GarbledAnswer

BLOCK_TOKENS = 512
MOST_BLOCKS = 65_536
ID_CAP = 64


def recognises(line: str) -> bool:
    """Whether the first row has the trace's names."""
    try:
        first = fields(line, "the row")
    except GarbledAnswer:
        return False
    return first.raw("timestamp") is not None and first.raw("input_length") is not None


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Every line is a row. A row without output tokens is left out."""
    return 0, _read


def _read(text: str) -> Row | None:
    row = fields(text, "the row")
    at_ms, asked, made = row.number("timestamp"), row.whole("input_length"), row.whole("output_length")
    if at_ms is None or asked is None or made is None:
        raise ValueError("the row lacks timestamp, input_length or output_length")
    blocks = _blocks(row.raw("hash_ids"))
    return Row(at_ms / 1000, asked, made, blocks, BLOCK_TOKENS) if made else None


def _blocks(value: object) -> tuple[str, ...]:
    ids = [] if value is None else value
    if not isinstance(ids, list) or len(ids) > MOST_BLOCKS:
        raise ValueError("hash_ids is not a list of ids")
    if not all(isinstance(one, int | str) and len(str(one)) <= ID_CAP for one in ids):
        raise ValueError("hash_ids holds what is not an id")
    return tuple(map(str, ids))
