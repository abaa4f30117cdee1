"""A firing range: a scripted server in a thread of its own, and the engine fired at it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harpoon_cli.bench.engine.errand import samples_in
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.sample import Ask, Message, Sample, Shot
from harpoon_cli.values import replace
from tests.servers import LOOPBACK_PEM, PATIENCE_S, Conversation, FaultyServer, Script

DEADLINE_S = 10.0
"""Of requests that are to be answered: no test comes near it."""


@contextmanager
def served(script: Script, *, tls: bool = False) -> Iterator[FaultyServer]:
    """A `FaultyServer` in another thread, since the engine keeps its own."""
    server = FaultyServer(script, tls=tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(PATIENCE_S)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def ask(index: int = 0, content: str = "hello", *, conversation: int | None = None) -> Ask:
    return Ask(index, (Message("user", content),), 8, "a-model", conversation=conversation)


def at_once(count: int) -> list[Shot]:
    """Shots that go as soon as there is a place."""
    return [Shot(ask(index), None) for index in range(count)]


def target(port: int, *, stream: bool = True, dialect: str = "openai", tls: bool = False) -> Target:
    """A target on loopback; with tls=True the certificate of the tests is trusted."""
    there = Target("127.0.0.1", port, "/v1/chat/completions", dialect, stream)
    return replace(there, tls=lambda: ssl.create_default_context(cafile=LOOPBACK_PEM)) if tls else there


def keeping(samples: list[Sample]) -> Callable[[bytes], None]:
    """What takes the packets of engine processes and adds their samples to a list."""
    return lambda packet: samples.extend(samples_in(packet))


@dataclass(frozen=True, slots=True)
class Fired:
    """What a run gave."""

    samples: list[Sample]
    watch: Watch

    @property
    def errors(self) -> list[str | None]:
        """In the order of the plan."""
        return [sample.error for sample in sorted(self.samples, key=lambda sample: sample.index)]

    @property
    def only(self) -> Sample:
        (sample,) = self.samples
        return sample


def fired(
    there: Target,
    shots: Iterable[Shot],
    *,
    concurrency: int | None = 1,
    deadline_s: float = DEADLINE_S,
    ends_s: float | None = None,
    grace_s: float = 0.0,
    stop: Callable[[], bool] = lambda: False,
    count_tokens: Callable[[str], int] | None = None,
    kernel_stamps: bool = True,
) -> Fired:
    """Fire the shots, and keep every sample."""
    samples: list[Sample] = []
    watch = fire(
        there,
        shots,
        samples.append,
        concurrency=concurrency,
        deadline_s=deadline_s,
        ends_s=ends_s,
        grace_s=grace_s,
        stop=stop,
        count_tokens=count_tokens,
        kernel_stamps=kernel_stamps,
    )
    return Fired(samples, watch)


def answered(script: Script, *, stream: bool = True, deadline_s: float = DEADLINE_S) -> Sample:
    """The sample of one request to a server of that script."""
    with served(script) as server:
        return fired(target(server.port, stream=stream), at_once(1), deadline_s=deadline_s).only


class Gate:
    """A server that answers nobody before so many requests are there at once."""

    def __init__(self, wanted: int, raw: bytes) -> None:
        self._left, self._raw = wanted, raw
        self._open = asyncio.Event()
        self.most = self._now = 0

    async def script(self, conversation: Conversation) -> None:
        while True:
            await conversation.request()
            self._now += 1
            self.most = max(self.most, self._now)
            self._left -= 1
            if self._left <= 0:
                self._open.set()
            await self._open.wait()
            self._now -= 1
            await conversation.send(self._raw)


def event(value: object, end: str = "\n\n") -> bytes:
    """An event of a stream."""
    return f"data: {value if isinstance(value, str) else json.dumps(value)}{end}".encode()


def delta(finish_reason: str | None = None, **fields: object) -> dict[str, object]:
    """A chunk of a chat's stream, with these fields in its delta."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "a-model",
        "choices": [{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish_reason}],
    }


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


DONE = event("[DONE]")

WORDS = tuple(event(delta(content=word)) for word in ("The", " sky", " is", " blue"))

CHAT = (
    event(delta(role="assistant", content="")),
    *WORDS,
    event(delta("stop")),
    event({"id": "chatcmpl-1", "choices": [], "usage": usage(9, 4)}),
    DONE,
)
"""A stream as vLLM sends it: four chunks of content, and the usage."""
