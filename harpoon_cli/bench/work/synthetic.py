"""Prompts made up to a length, with or without shared prefixes, in one turn or several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from harpoon_cli.bench.asking.asks import Draft, Order, Work, conversations, shares, single
from harpoon_cli.bench.asking.filler import Filler, filler
from harpoon_cli.bench.asking.lengths import FEW, LENGTH, Length
from harpoon_cli.bench.asking.prompts import DEFAULT_OUTPUT, Together
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import Kind, whole
from harpoon_cli.bench.recording.sample import Ask, Message

PREFIXES = Kind("8", whole(1, 100_000))
INPUT = Length("fixed", 256)
ONE = Length("fixed", 1)
TOKENS = Kind("512", whole(1, 1_000_000))

_TURNS, _PREFIX = -1, -2
"""What stands for a turn's number where something else than a turn is drawn."""


class Synthetic(Work, frozen=True, kw_only=True):
    """Common words, as many as tokens are wanted; no two prompts begin alike but for their prefixes.

    A prefix is a system message before the prompt, of `prefix` tokens; each of `prefixes` different ones is
    as likely as any other.
    """

    input: Annotated[Length, Parameter(LENGTH, "tokens of a prompt, without its prefix")] = INPUT
    output: Annotated[Length, Parameter(LENGTH, "tokens of an answer at most")] = DEFAULT_OUTPUT
    prefix: Annotated[int | None, Parameter(TOKENS, "tokens of a prefix that prompts share")] = None
    prefixes: Annotated[int, Parameter(PREFIXES, "how many different prefixes there are")] = 1
    turns: Annotated[Length, Parameter(FEW, "questions of a conversation")] = ONE
    conversations: Together = None

    def asks(self, order: Order) -> Iterator[Ask | None]:
        maker = _Maker(self, order, filler(order.seed, order.count))
        if self.turns == ONE:
            return single(order, maker.draft)
        return conversations(order, self.conversations, maker.turns, maker.draft)


class _Maker:
    def __init__(self, work: Synthetic, order: Order, text: Filler) -> None:
        self._work = work
        self._order = order
        self._text = text
        self._prefixes = [self._prefix(number) for number in range(work.prefixes if work.prefix else 0)]

    def _prefix(self, number: int) -> tuple[Message, int | None]:
        share = shares(self._order.seed, number, _PREFIX)[0]
        text = self._text.text(self._work.prefix or 0, number, share)
        return Message("system", text), self._tokens(text, self._work.prefix or 0)

    def turns(self, number: int) -> int:
        return self._work.turns.at(shares(self._order.seed, number, _TURNS)[0])

    def draft(self, number: int, turn: int = 0) -> Draft:
        long, answer, place, which = shares(self._order.seed, number, turn)
        wanted = self._work.input.at(long)
        text = self._text.text(wanted, number, place)
        asked, tokens = Message("user", text), self._tokens(text, wanted)
        most = self._work.output.at(answer)
        if turn or not self._prefixes:
            return Draft((asked,), most, tokens)
        prefix, more = self._prefixes[int(which * len(self._prefixes))]
        return Draft((prefix, asked), most, None if tokens is None or more is None else tokens + more)

    def _tokens(self, text: str, wanted: int) -> int | None:
        if self._text.exact:
            return wanted
        return self._order.count(text) if self._order.count else None


WORK = Synthetic
