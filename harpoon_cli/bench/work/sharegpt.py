"""Prompts from conversations that people had: ShareGPT's format, a JSON array or JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from harpoon_cli.bench.asking import chat, prompts
from harpoon_cli.bench.asking.array import objects
from harpoon_cli.bench.asking.asks import Order, Work
from harpoon_cli.bench.asking.lengths import LONGEST_TOKENS
from harpoon_cli.bench.asking.prompts import Record, Turn
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import Kind, whole
from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.errors import UsageFault

CHARACTERS_PER_TOKEN = 4
"""About what a token of English is, used where no tokenizer is named."""

LONGEST = Kind("2048", whole(8, LONGEST_TOKENS))
TURNS = Kind("4", whole(1, 1000))


class Sharegpt(Work, frozen=True, kw_only=True):
    """The first questions of each conversation; an answer may be as long as the recorded one.

    A conversation is cut before it grows longer than `longest` tokens with its answers, and left out where
    its first question and answer already are.
    """

    path: prompts.File
    turns: Annotated[int, Parameter(TURNS, "questions of a conversation to ask at most")] = 1
    longest: Annotated[int, Parameter(LONGEST, "tokens a conversation may have")] = 2048
    records: prompts.Records = 1000
    order: prompts.InOrder = "file"
    conversations: prompts.Together = None
    bad_rows: prompts.BadRows = 0

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    def asks(self, order: Order) -> Iterator[Ask | None]:
        count = order.count or _estimate
        records = prompts.kept(self._records(count), self.records, self.path)
        return prompts.asks(records, prompts.DEFAULT_OUTPUT, self.order, self.conversations, order)

    def _records(self, count: Callable[[str], int]) -> Iterator[Record]:
        bad = 0
        for number, value in objects(self.path):
            try:
                record = self._record(value, count)
            except ValueError as cause:
                bad += 1
                if bad > self.bad_rows:
                    hint = "mend the record, or let some be left out: bad_rows=100"
                    raise UsageFault(f"{self.path}, record {number}: {cause}", hint=hint) from cause
                continue
            if record:
                yield record

    def _record(self, value: object, count: Callable[[str], int]) -> Record:
        turns: list[Turn] = []
        total = 0
        for asked, answer in _exchanges(_conversation(value)):
            most = max(count(answer), 1)
            total += most + sum(count(message.content) for message in asked)
            if total > self.longest or len(turns) == self.turns:
                break
            turns.append(Turn(asked, most))
        return tuple(turns)


def _conversation(value: object) -> tuple[Message, ...]:
    found = value if isinstance(value, dict) else {}
    for name in ("conversations", "conversation", "messages"):
        if found.get(name) is not None:
            return chat.messages(found[name])
    raise ValueError("the record has no conversations")


def _exchanges(messages: tuple[Message, ...]) -> Iterator[tuple[tuple[Message, ...], str]]:
    """Each question, with a system message where one stands before it, and its answer.

    What comes before the first question, and everything after a break in the alternation, is left out.
    """
    before: tuple[Message, ...] = ()
    for message, following in pairwise(messages):
        if message.role == "system":
            before = (message,)
        elif message.role == "user":
            if following.role != "assistant" or not message.content.strip() or not following.content.strip():
                return
            yield (*before, message), following.content
            before = ()


def _estimate(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


WORK = Sharegpt
