"""Our own traces: JSON lines with at_s in seconds, input_tokens, output_tokens and, where wanted, prompt."""

from __future__ import annotations

from collections.abc import Callable

from harpoon_cli.bench.asking.chat import whole_text
from harpoon_cli.bench.asking.rows import fields
from harpoon_cli.bench.traces import Row
from harpoon_cli.errors import GarbledAnswer


def recognises(line: str) -> bool:
    """Whether the first row has the trace's names."""
    try:
        first = fields(line, "the row")
    except GarbledAnswer:
        return False
    return first.raw("at_s") is not None and first.raw("output_tokens") is not None


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Every line is a row; one with a prompt needs no input_tokens."""
    return 0, _read


def _read(text: str) -> Row:
    row = fields(text, "the row")
    at_s, asked, made = row.number("at_s"), row.whole("input_tokens"), row.whole("output_tokens")
    prompt = row.text("prompt")
    if at_s is None or not made or (asked is None and not prompt):
        raise ValueError("the row lacks at_s, output_tokens, or both input_tokens and prompt")
    return Row(at_s, asked or 0, made, prompt=None if prompt is None else whole_text(prompt))
