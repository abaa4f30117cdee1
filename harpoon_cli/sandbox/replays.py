"""Answers to prompts, kept by their Idempotency-Key: one run for a key, in bounded memory and for a time.

Knows no HTTP and no engine: what makes an answer is a parameter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from hashlib import sha256
from time import monotonic
from typing import Any

from harpoon_cli.domain import Completion, Delta
from harpoon_cli.errors import BrokenOff, HarpoonError
from harpoon_cli.sandbox.platform import Refusal
from harpoon_cli.values import Struct, field

KEPT_S = 600.0
"""How long an answer is kept once it is whole: longer than any client goes on repeating."""

KEPT_ANSWERS = 256
KEPT_CHARACTERS = 4 * 1024 * 1024
"""How many answers are kept, and how long they may be together: the oldest go first."""

Piece = Delta | Completion
Begin = Callable[[], AsyncGenerator[Piece, None]]


def digest(body: Mapping[str, Any]) -> str:
    """The same for the same request, however it was written."""
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class _Run(Struct, eq=False):
    """One making of an answer, which any number of requests follow; it goes on when they have left."""

    digest: str
    pieces: list[Piece] = field(default_factory=list)
    trouble: Refusal | HarpoonError | None = None
    whole_at: float | None = None
    over: bool = False
    task: asyncio.Task[None] | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def make(self, source: AsyncGenerator[Piece, None], clock: Callable[[], float]) -> None:
        try:
            async with aclosing(source):
                async for piece in source:
                    self.pieces.append(piece)
                    self._tell()
            self.whole_at = clock()
        except (Refusal, HarpoonError) as trouble:
            self.trouble = trouble
        finally:
            self.over = True
            self._tell()

    def _tell(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    async def followed(self) -> AsyncGenerator[Piece, None]:
        """The answer from its beginning, its end as it comes."""
        told = 0
        while True:
            for piece in self.pieces[told:]:
                told += 1
                yield piece
            if told == len(self.pieces):
                if self.trouble is not None:
                    raise self.trouble
                if self.whole_at is not None:
                    return
                if self.over:
                    raise BrokenOff("the answer was cut short before it was whole")
                await self._more.wait()

    @property
    def characters(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)


class Replays:
    """The runs of one sandbox, by key."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._runs: dict[str, _Run] = {}

    def answer(self, key: str, request: str, begin: Begin) -> tuple[AsyncGenerator[Piece, None], bool]:
        """The answer to the request of that digest, and whether an earlier one with its key began it.

        `Refusal` where the key came with another request. What fails is not kept: its repeat is a new run.
        """
        self._forget()
        if (known := self._runs.get(key)) is not None:
            if known.digest != request:
                raise Refusal(
                    422, "idempotency_key_reused", "this Idempotency-Key came with another request before"
                )
            return known.followed(), True
        run = self._runs[key] = _Run(request)
        run.task = asyncio.create_task(run.make(begin(), self._clock))
        return run.followed(), False

    def _forget(self) -> None:
        """Let go of what failed and what is old, and of the oldest where there is too much."""
        latest = self._clock() - KEPT_S
        self._runs = {
            key: run
            for key, run in self._runs.items()
            if not run.over or (run.whole_at is not None and run.whole_at > latest)
        }
        kept = [key for key, run in self._runs.items() if run.over]
        characters = sum(self._runs[key].characters for key in kept)
        while kept and (len(kept) >= KEPT_ANSWERS or characters > KEPT_CHARACTERS):
            characters -= self._runs.pop(kept.pop(0)).characters

    async def close(self) -> None:
        """End what is still being made."""
        tasks = [run.task for run in self._runs.values() if run.task is not None and not run.over]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
