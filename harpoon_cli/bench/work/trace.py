"""Prompts of the lengths that a recorded trace had, with the prefixes that they shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain, count, islice, repeat
from pathlib import Path

from harpoon_cli.bench import traces
from harpoon_cli.bench.asking.asks import Order, Work, shares
from harpoon_cli.bench.asking.filler import Filler, filler
from harpoon_cli.bench.recording.sample import Ask, Message


class Trace(Work, frozen=True, kw_only=True):
    """The k-th ask is as long as the k-th row, and begins again where the file ends.

    Where the trace has no text the prompt is made up; rows with the same first blocks get the same beginning.
    """

    path: traces.File
    format: traces.Format = traces.AUTO
    from_s: traces.Start = 0.0
    bad_rows: traces.BadRows = 0

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    def asks(self, order: Order) -> Iterator[Ask | None]:
        text = filler(order.seed, order.count)
        again = chain.from_iterable(self._rows() for _ in repeat(None))
        rows = islice(chain(self._rows(), again), order.first_index, None)
        numbered = zip(count(order.first_index), rows, strict=False)
        return (_ask(order, text, index, row) if order.mine(index) else None for index, row in numbered)

    def _rows(self) -> Iterator[traces.Row]:
        return traces.rows(self.path, self.format, self.from_s, self.bad_rows)


def _ask(order: Order, text: Filler, index: int, row: traces.Row) -> Ask:
    prompt = row.prompt or _made_up(order.seed, text, index, row)
    tokens: int | None = row.input_tokens
    if row.prompt:
        tokens = order.count(prompt) if order.count else row.input_tokens or None
    return Ask(index, (Message("user", prompt),), row.output_tokens, order.model_of(index, prompt), tokens)


def _made_up(seed: int, text: Filler, index: int, row: traces.Row) -> str:
    left, parts = max(row.input_tokens, 1), []
    for block in row.blocks:
        if left <= 0:
            break
        number = int.from_bytes(blake2b(block.encode(errors="replace"), digest_size=8).digest(), "little")
        parts.append(text.text(min(row.block_tokens, left), number, shares(seed, number)[0]))
        left -= row.block_tokens
    if left > 0:
        parts.append(text.text(left, index, shares(seed, index)[0]))
    return " ".join(parts)


WORK = Trace
