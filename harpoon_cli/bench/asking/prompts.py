"""What the sources that read prompts from files share: their parameters, their records, and asks of those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated

from harpoon_cli.bench.asking.asks import Draft, Order, conversations, shares, single
from harpoon_cli.bench.asking.lengths import LENGTH, Length
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import COUNT_OR_NONE, PATH, Kind, choice, whole
from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

MOST_RECORDS = 1_000_000
MOST_CHARACTERS = 256 * 2**20
"""Characters that all prompts of a file may have together: they are kept in memory for the run."""

DEFAULT_OUTPUT = Length("fixed", 128)

File = Annotated[Path, Parameter(PATH, "the file to read")]
Output = Annotated[Length, Parameter(LENGTH, "tokens of an answer at most, where the file does not say")]
Records = Annotated[int, Parameter(Kind("1000", whole(1, MOST_RECORDS)), "prompts to read at most")]
InOrder = Annotated[str, Parameter(choice("file", "shuffled"), "which comes first", "order")]
Together = Annotated[
    int | None,
    Parameter(Kind("64", whole(1, 1_000_000)), "conversations that take turns at once"),
]
BadRows = Annotated[int, Parameter(COUNT_OR_NONE, "how many rows may be unreadable and left out")]


class Turn(Struct, frozen=True):
    """What is asked at once. max_tokens is None where the file does not say."""

    messages: tuple[Message, ...]
    max_tokens: int | None = None


Record = tuple[Turn, ...]
"""The turns of a conversation, at least one."""


def prompt(text: str, max_tokens: int | None = None) -> Record:
    """A record of one question."""
    return (Turn((Message("user", text),), max_tokens),)


def kept(found: Iterable[Record], most: int, path: Path) -> list[Record]:
    """The first `most` records; `UsageFault` where there are none, or they are too large to keep."""
    records: list[Record] = []
    characters = 0
    for record in islice(found, most):
        characters += sum(len(message.content) for turn in record for message in turn.messages)
        if characters > MOST_CHARACTERS:
            limit = MOST_CHARACTERS // 2**20
            raise UsageFault(
                f"the first {len(records)} prompts of {path} have more than {limit} million characters",
                hint=f"read fewer of them: records={max(len(records) // 2, 1)}",
            )
        records.append(record)
    if not records:
        raise UsageFault(f"{path} has no prompts")
    return records


def asks(
    records: Sequence[Record], output: Length, sequence: str, together: int | None, order: Order
) -> Iterator[Ask | None]:
    """The records again and again, in the file's order or in one that the seed shuffles."""
    places = list(range(len(records)))
    if sequence == "shuffled":
        Random(f"{order.seed}/order").shuffle(places)  # noqa: S311 - a load, not a secret
    count = _counted(order.count)

    def turns_of(number: int) -> int:
        return len(records[places[number % len(places)]])

    def draft_of(number: int, turn: int = 0) -> Draft:
        asked = records[places[number % len(places)]][turn]
        most = asked.max_tokens or output.at(shares(order.seed, number, turn)[0])
        return Draft(asked.messages, most, count(asked.messages))

    if all(len(record) == 1 for record in records):
        return single(order, draft_of)
    return conversations(order, together, turns_of, draft_of)


def _counted(count: Callable[[str], int] | None) -> Callable[[tuple[Message, ...]], int | None]:
    """Counts the tokens of messages, of each only once: they come again and again."""
    if count is None:
        return lambda messages: None
    known: dict[int, int] = {}

    def counted(messages: tuple[Message, ...]) -> int:
        # By identity, as hashing a long text costs what is to be saved; the records outlive the run.
        if id(messages) not in known:
            known[id(messages)] = sum(count(message.content) for message in messages)
        return known[id(messages)]

    return counted
