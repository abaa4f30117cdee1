"""How a work's asks are made: numbered, spread over shards, several turns to a conversation; no I/O.

An ask is a pure function of the work, the seed and its index; which shard makes it changes nothing in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path

from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.values import Struct

_FOUR = struct.Struct("<4Q")
_STEP = 2.0**-52

LEAST_CONVERSATIONS = 64


class Order(Struct, frozen=True):
    """What is wanted of a work.

    first_index is the first ask's; conversations begin anew there. Only asks whose key is `mine` are made:
    the key is the conversation's number, or the index where there is none. model_of names the model for a
    key and a text, count gives the tokens of a text; at_once is the load's.
    """

    seed: int
    first_index: int
    mine: Callable[[int], bool]
    model_of: Callable[[int, str], str]
    count: Callable[[str], int] | None
    at_once: int | None


class Draft(Struct, frozen=True):
    """An ask before it has a place in a plan. input_tokens is of these messages only, None if not known."""

    messages: tuple[Message, ...]
    max_tokens: int
    input_tokens: int | None


class Work(Struct, frozen=True, kw_only=True):
    """Something to ask; every source of prompts is one."""

    @property
    def files(self) -> Sequence[Path]:
        """What it reads."""
        return ()

    def asks(self, order: Order) -> Iterator[Ask | None]:
        """The asks from `order.first_index` on, None in the place of each one that is not ours; no end.

        `UsageFault`, at once, where a file cannot be used; traces also when a bad row is reached.
        """
        raise NotImplementedError


def single(order: Order, draft_of: Callable[[int], Draft]) -> Iterator[Ask | None]:
    """One ask an index, each on its own."""
    for index in count(order.first_index):
        yield _ask(order, index, draft_of(index)) if order.mine(index) else None


def _ask(order: Order, index: int, draft: Draft) -> Ask:
    model = order.model_of(index, _question(draft))
    return Ask(index, draft.messages, draft.max_tokens, model, draft.input_tokens)


def conversations(
    order: Order,
    at_once: int | None,
    turns_of: Callable[[int], int],
    draft_of: Callable[[int, int], Draft],
) -> Iterator[Ask | None]:
    """Conversations, `at_once` of them taking turns; where one ends the next begins in its place.

    turns_of gives the turns of a conversation by its number, draft_of the draft of one of them. All turns of
    a conversation are asked of the model that its first one was sent to. What a later turn's prompt is in
    tokens depends on the answers, so it is left open.
    """
    models: dict[int, str] = {}
    for index, (number, turn, last) in enumerate(_turns(order, at_once, turns_of), order.first_index):
        if not order.mine(number):
            yield None
            continue
        draft = draft_of(number, turn)
        if turn == 0:
            models[number] = order.model_of(number, _question(draft))
        model = models.pop(number) if last else models[number]
        known = draft.input_tokens if turn == 0 else None
        yield Ask(index, draft.messages, draft.max_tokens, model, known, number, last)


def _turns(
    order: Order, at_once: int | None, turns_of: Callable[[int], int]
) -> Iterator[tuple[int, int, bool]]:
    """Conversation, turn, and whether it is the last of its turns."""
    # Twice as many as run at once: a free place then finds a conversation whose last answer is there.
    places = at_once or max(2 * (order.at_once or 0), LEAST_CONVERSATIONS)
    numbers = count(order.first_index)
    taking = [(number, 0, turns_of(number)) for number in islice(numbers, places)]
    while True:
        for place, (number, turn, turns) in enumerate(taking):
            last = turn + 1 >= turns
            yield number, turn, last
            following = next(numbers) if last else number
            taking[place] = (following, 0, turns_of(following)) if last else (number, turn + 1, turns)


def _question(draft: Draft) -> str:
    return draft.messages[-1].content


def shares(seed: int, number: int, turn: int = 0) -> tuple[float, float, float, float]:
    """Four random numbers between 0 and 1 and neither, the same for the same arguments everywhere."""
    drawn = blake2b(f"{seed},{number},{turn}".encode(), digest_size=32).digest()
    first, second, third, fourth = _FOUR.unpack(drawn)
    # 52 bits and a half: each sum is exact, and can be neither 0 nor 1.
    return (
        ((first >> 12) + 0.5) * _STEP,
        ((second >> 12) + 0.5) * _STEP,
        ((third >> 12) + 0.5) * _STEP,
        ((fourth >> 12) + 0.5) * _STEP,
    )
