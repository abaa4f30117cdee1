"""Answers without a model: the same words for the same question, saying of themselves what they are.

A `client.service.DataPlane` like any other; may not pretend to be a model, nor judge what it is asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from hashlib import sha256

from harpoon_cli.domain import Completion, CompletionRequest, Delta, Usage

NAME = "simulator"
PAUSE_S = 0.01
"""Between two pieces, so that a stream looks like one: about a hundred tokens a second."""

_NOTICE = (
    "[simulated] This is a simulated answer: no model produced it. "
    "`harpoon sandbox pull` gets a real small model to answer here instead."
)
_REMARKS = (
    "The request reached the slice and was accepted.",
    "The prompt was counted, not read.",
    "A second identical question gets this identical answer.",
    "Tokens here are words and marks, counted by rule.",
    "Timings of this answer say nothing about any GPU.",
    "The lease was charged to the sandbox, which charges nobody.",
)


class Simulator:
    """See `client.service.DataPlane`."""

    def __init__(
        self, *, pause_s: float = PAUSE_S, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._pause_s = pause_s
        self._sleep = sleep

    async def complete(self, request: CompletionRequest) -> Completion:
        return _answer(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        answer = _answer(request)
        for piece in _tokens(answer.text):
            yield Delta(piece)
            await self._sleep(self._pause_s)
        yield answer

    async def models(self) -> tuple[str, ...]:
        return (NAME,)


def _answer(request: CompletionRequest) -> Completion:
    pieces = list(_tokens(_text(request)))
    allowed = len(pieces) if request.max_tokens is None else request.max_tokens
    said = pieces[:allowed]
    asked = len(list(_tokens(f"{request.prompt.system or ''} {request.prompt.text}")))
    return Completion(
        text="".join(said),
        finish_reason="stop" if len(said) == len(pieces) else "length",
        model_used=NAME,
        usage=Usage(asked, len(said), asked + len(said)),
        engine="simulated",
    )


def _text(request: CompletionRequest) -> str:
    prompt = request.prompt.text
    digest = sha256(f"{request.model}\n{request.prompt.system or ''}\n{prompt}".encode()).hexdigest()
    start = int(digest[:8], 16)
    remarks = (_REMARKS[(start + step) % len(_REMARKS)] for step in range(2 + start % 3))
    words = len(prompt.split())
    return " ".join((_NOTICE, f"The prompt has {words} words, digest {digest[:12]}.", *remarks))


def _tokens(text: str) -> Iterator[str]:
    """Words and single marks, each with the blanks before it; together they are `text` without its tail."""
    return (found.group() for found in re.finditer(r"\s*(?:\w+|[^\w\s])", text))
