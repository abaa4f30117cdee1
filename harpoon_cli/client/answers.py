"""Puts an answer together from the events of a stream, for every dialect that sends OpenAI-shaped chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from harpoon_cli.client.wire import EventScanner, Fields, error_in_success, parse_json
from harpoon_cli.domain import Completion, Delta, Usage
from harpoon_cli.errors import BrokenOff, ServerFault


async def assemble(pieces: AsyncIterator[bytes]) -> AsyncGenerator[Delta | Completion, None]:
    """Deltas as they arrive, then the whole answer; `BrokenOff` where the stream ends before the answer does.

    The end of an answer is a finish_reason or the [DONE] mark; an event that holds an error is `ServerFault`.
    """
    answer, scanner = _Answer(), EventScanner()
    async for piece in pieces:
        for event in scanner.feed(piece):
            if delta := answer.take(event):
                yield Delta(delta)
    yield answer.whole()


@dataclass(slots=True)
class _Answer:
    """What has arrived so far."""

    texts: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model_used: str | None = None
    engine: str | None = None
    usage: Usage | None = None
    done: bool = False

    def take(self, event: bytes) -> str:
        """Read one event; the text it adds."""
        if event.strip() == b"[DONE]":
            self.done = True
            return ""
        value = parse_json(event)
        if trouble := error_in_success(value):
            raise ServerFault(f"the server broke off its answer: {trouble}")
        fields = Fields(value, "an event of the answer")
        self.model_used = fields.text("model_used", "model") or self.model_used
        self.engine = fields.text("engine") or self.engine
        self.usage = usage(fields) or self.usage
        self.finish_reason = fields.text("finish_reason") or self.finish_reason
        return self._choice(fields)

    def _choice(self, fields: Fields) -> str:
        if fields.raw("choices") is None:
            return ""
        added = ""
        for choice in fields.children("choices"):
            self.finish_reason = choice.text("finish_reason") or self.finish_reason
            delta = choice.child("delta")
            added += (delta.text("content") or "") if delta else ""
        self.texts.append(added)
        return added

    def whole(self) -> Completion:
        if not self.done and self.finish_reason is None:
            raise BrokenOff(
                "the answer stops in the middle: the stream ended without saying that it is whole"
            )
        return Completion(
            text="".join(self.texts),
            finish_reason=self.finish_reason or "unknown",
            model_used=self.model_used,
            usage=self.usage,
            engine=self.engine,
        )


def usage(fields: Fields) -> Usage | None:
    """The server's token counts, where it gives them."""
    counts = fields.child("usage")
    if counts is None:
        return None
    prompt, completion = counts.whole("prompt_tokens"), counts.whole("completion_tokens")
    if prompt is None or completion is None:
        return None
    total = counts.whole("total_tokens")
    return Usage(prompt, completion, prompt + completion if total is None else total)
