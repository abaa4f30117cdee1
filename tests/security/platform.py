"""A platform that is hostile in what it says: the sandbox's rules, and any text in every place for one.

    platform = HostilePlatform(directory)
    with hosted(platform) as url:
        platform.text = "\\x1b]0;owned\\x07"

Ids, times, states and metadata stay, so that a command comes to see the rest.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harpoon_cli.client.embedded import Request
from tests.sandbox.harness import Clock, application, whole
from tests.servers import EVENT_STREAM, PATIENCE_S, Conversation, FaultyServer, Received, chunk

IDS = frozenset({"allocation_id", "id", "pool_id"})
SPARED = IDS | {"created_at", "expires_at", "released_at", "metadata", "price_per_hour"}
LEASE_STATES = frozenset({"pending", "active", "releasing", "released", "expired", "failed", "ok"})


class WallClock(Clock):
    """Goes by itself."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class HostilePlatform:
    """`text` is put into every text of every answer.

    With `status` set every call is refused so, in its words, with `status_of` the calls of a method. `raw`
    is sent instead of any answer, `ids` is every id of the fields in `named` (all there are), `tags` is added
    to all metadata.

    `watch` is called at every request, while the command that sent it waits.
    """

    def __init__(self, directory: Path) -> None:
        self.text = ""
        self.status: int | None = None
        self.status_of: Mapping[str, int | None] = {}
        self.headers: Mapping[str, str] = {}
        self.raw: bytes | None = None
        self.ids: str | None = None
        self.named = IDS
        self.tags: Mapping[str, str] = {}
        self.requests: list[Received] = []
        self.watch: Callable[[], None] = lambda: None
        self._inner = application(directory, WallClock())

    async def script(self, conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            self.requests.append(request)
            self.watch()
            path, _, query = request.target.partition("?")
            if self.raw is not None:
                await conversation.send(self.raw)
                return
            if status := self.status_of.get(request.method) or self.status:
                await conversation.send(self._refusal(status))
            elif path == "/v1/inference" and request.json["stream"]:  # type: ignore[index]  # it is an object
                await self._answer_in_letters(conversation)
            else:
                await conversation.send(await self._spoilt(request, path, query))

    def _refusal(self, status: int) -> bytes:
        said = {
            "error": self.text,
            "code": self.text,
            "details": {self.text: self.text},
            "message": self.text,
        }
        return self._raw(status, json.dumps(said).encode())

    async def _spoilt(self, request: Received, path: str, query: str) -> bytes:
        pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        headers = dict(request.headers) | {"authorization": "Bearer a-key-for-tests"}
        response = await self._inner.handle(Request(request.method, path, pairs, headers, request.body))
        content = await whole(response)
        try:
            value = self.spoilt(json.loads(content)) if content else None
        except ValueError:
            return self._raw(response.status, content)
        # As many servers do, characters are sent raw where that can be: halves of one cannot.
        halves = any("\ud800" <= letter <= "\udfff" for letter in self.text)
        body = json.dumps(value, ensure_ascii=halves).encode() if content else b""
        return self._raw(response.status, body)

    def spoilt(self, value: object) -> object:
        match value:
            case dict():
                return {key: self._field(key, item) for key, item in value.items()}
            case list():
                return [self.spoilt(item) for item in value]
            case str() if value.lower() not in LEASE_STATES:
                return self.text
        return value

    def _field(self, name: str, value: object) -> object:
        if self.ids is not None and name in self.named:
            return self.ids
        if name == "metadata" and isinstance(value, dict):
            return value | dict(self.tags)
        return value if name in SPARED else self.spoilt(value)

    def _raw(self, status: int, body: bytes) -> bytes:
        head = {"Content-Length": str(len(body)), "Content-Type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body

    async def _answer_in_letters(self, conversation: Conversation) -> None:
        """Every character in an event of its own, every event in two pieces."""
        await conversation.send(EVENT_STREAM)
        for letter in self.text:
            await self._event(conversation, {"choices": [{"index": 0, "delta": {"content": letter}}]})
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": self.text or "stop"}]}
        await self._event(conversation, end | {"model_used": self.text, "engine": self.text})
        await conversation.send(chunk(b"data: [DONE]\n\n") + chunk(b""))

    async def _event(self, conversation: Conversation, value: object) -> None:
        event = b"data: %s\n\n" % json.dumps(value).encode()
        await conversation.send(chunk(event[:9]))
        await conversation.send(chunk(event[9:]))


@contextmanager
def hosted(platform: HostilePlatform) -> Iterator[str]:
    """The platform on a real loopback port, in a thread of its own; the URL."""
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    urls: list[str] = []

    async def serve() -> None:
        async with FaultyServer(platform.script) as server:
            urls.append(server.url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S), "the platform did not start"
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_S)
        loop.close()
