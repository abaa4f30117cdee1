"""Prompts from JSON lines: prompt, messages, or turns of one conversation; and max_tokens, where given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harpoon_cli.bench.asking import chat, prompts, rows
from harpoon_cli.bench.asking.asks import Order, Work
from harpoon_cli.bench.asking.lengths import LONGEST_TOKENS
from harpoon_cli.bench.asking.prompts import Record, Turn
from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.client.wire import Fields, parse_json


class Jsonl(Work, frozen=True, kw_only=True):
    """Each line one of: "text", {"prompt": "text"}, {"messages": […]}, {"turns": ["first", "second"]}.

    `messages` is one ask, whatever came before in it; answers at its end are left out. `turns` are asked one
    after another, each after the answer to the one before. Beside them may stand max_tokens or output_tokens.
    """

    path: prompts.File
    output: prompts.Output = prompts.DEFAULT_OUTPUT
    records: prompts.Records = 10_000
    order: prompts.InOrder = "file"
    conversations: prompts.Together = None
    bad_rows: prompts.BadRows = 0

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    def asks(self, order: Order) -> Iterator[Ask | None]:
        found = rows.records(self.path, _record, self.bad_rows)
        records = prompts.kept(found, self.records, self.path)
        return prompts.asks(records, self.output, self.order, self.conversations, order)


def _record(text: str) -> Record:
    value = parse_json(text.encode())
    if isinstance(value, str):
        return _questions([value], None)
    row = Fields(value, "the row")
    most = _most(row)
    if (found := row.raw("messages")) is not None:
        return (Turn(_asked(chat.messages(found)), most),)
    turns = row.raw("turns")
    return _questions(turns if turns is not None else [row.raw("prompt")], most)


def _most(row: Fields) -> int | None:
    most = row.whole("max_tokens", "output_tokens")
    if most is not None and not 1 <= most <= LONGEST_TOKENS:
        raise ValueError(f"max_tokens is not from 1 to {LONGEST_TOKENS:,}")
    return most


def _asked(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    asked = messages
    while asked and asked[-1].role == "assistant":
        asked = asked[:-1]
    if not asked or not asked[-1].content.strip():
        raise ValueError("the messages ask nothing")
    return asked


def _questions(turns: object, most: int | None) -> Record:
    if not isinstance(turns, list) or not turns:
        raise ValueError("turns is not a list of questions")
    if not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise ValueError("the row has neither prompt, messages nor turns with a text in them")
    return tuple(Turn((Message("user", chat.whole_text(turn)),), most) for turn in turns)


WORK = Jsonl
