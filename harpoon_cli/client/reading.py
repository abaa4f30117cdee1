"""Reads the body of an answer whose head has arrived: bounded in bytes and in time, whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing

from harpoon_cli.client.refusals import error_in_success, error_words
from harpoon_cli.client.wire import parse_json
from harpoon_cli.errors import GarbledAnswer, UnreadableAnswer
from harpoon_cli.values import Struct


class Answer(Struct, frozen=True):
    """An answer, begun. `where` is how messages name its call; `headers` have their names in lower case.

    `raw` is the body as it comes, `in_time` is around every wait for it, `redact` takes the key out of texts.
    """

    where: str
    status: int
    headers: Mapping[str, str]
    raw: AsyncGenerator[bytes, None]
    in_time: Callable[[], AbstractAsyncContextManager[None]]
    redact: Callable[[str], str]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def kind(self) -> str:
        """The media type, without its parameters."""
        media_type = self.headers.get("content-type", "")
        return self.redact(media_type.partition(";")[0].strip()).lower()[:100]

    def garbled(self, what: str, code: str | None = None) -> GarbledAnswer:
        return GarbledAnswer(f"{self.where} {what}", status=self.status, platform_code=code)

    def unreadable(self, what: str) -> UnreadableAnswer:
        return UnreadableAnswer(f"{self.where} {what}", status=self.status)

    async def value(self, cap_bytes: int, *, may_be_empty: bool) -> object:
        """The JSON of the whole answer; None where it is empty, or null, and may be."""
        content = await self.whole(cap_bytes)
        kind = f" ({self.kind})" if self.kind else ""
        try:
            empty = not content or content.isspace()
            value = None if empty else parse_json(content, cap_bytes)
        except UnreadableAnswer as cause:
            raise self.unreadable(f"answered {self.status}{kind}: {cause.message}") from cause
        except GarbledAnswer as cause:
            raise self.garbled(f"answered {self.status}{kind}: {cause.message}") from cause
        if value is None and not may_be_empty:
            raise self.unreadable(f"answered {self.status}{kind} with nothing in it")
        if trouble := error_in_success(value, self.redact):
            said = f"answered {self.status} with an error inside: {trouble}"
            raise self.garbled(said, error_words(value, self.redact)[1])
        return value

    async def whole(self, cap_bytes: int) -> bytearray:
        content = bytearray()
        async with aclosing(self.pieces(cap_bytes)) as pieces:
            async for piece in pieces:
                content += piece
        return content

    async def pieces(self, cap_bytes: int) -> AsyncGenerator[bytes, None]:
        """The body as it arrives."""
        if self.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise self.garbled("sent a compressed answer that was not asked for")
        total = 0
        async with aclosing(self.raw) as pieces:
            while True:
                async with self.in_time():
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                total += len(piece)
                if total > cap_bytes:
                    raise self.garbled(f"sent more than {cap_bytes / 2**20:.3g} MB")
                yield piece
