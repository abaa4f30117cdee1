"""Asks a prompt and puts its answer together, for every dialect that streams OpenAI-shaped chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field

from harpoon_cli.client.inference import InferenceOptions
from harpoon_cli.client.refusals import error_words
from harpoon_cli.client.retry import repeat, unsent
from harpoon_cli.client.transport import Transport
from harpoon_cli.client.wire import EventScanner, Fields, parse_json
from harpoon_cli.domain import Completion, Delta, Usage
from harpoon_cli.errors import BrokenOff, ServerFault


async def asked(transport: Transport, path: str, body: object, options: InferenceOptions) -> Fields:
    """The fields of a whole answer. A prompt is asked again only where it surely did not run."""
    answer = await repeat(
        lambda left_s: transport.call("POST", path, body=body, deadline_s=left_s),
        policy=options.retry,
        deadline_s=options.deadline_s,
        may_repeat=unsent,
    )
    return _good(answer, "the answer to the prompt", transport.redacted)


async def streamed(
    transport: Transport, path: str, body: object, options: InferenceOptions
) -> AsyncGenerator[Delta | Completion, None]:
    """The parts of a streamed answer, the whole last; asked again only where it surely did not run."""
    async with AsyncExitStack() as stack:
        pieces = await repeat(
            lambda left_s: stack.enter_async_context(transport.events(path, body=body, deadline_s=left_s)),
            policy=options.retry,
            deadline_s=options.deadline_s,
            may_repeat=unsent,
        )
        parts = await stack.enter_async_context(aclosing(assemble(pieces, transport.redacted)))
        async for part in parts:
            yield part


async def assemble(
    pieces: AsyncIterator[bytes], redact: Callable[[str], str] = str
) -> AsyncGenerator[Delta | Completion, None]:
    """Deltas as they arrive, then the whole answer; `BrokenOff` where the stream ends before the answer does.

    The end of an answer is the [DONE] mark, after which nothing is read, or a finish_reason and the end of
    the stream; an event that holds an error is `ServerFault`, its words passed through
    `redact`.
    """
    answer = _Answer(redact)
    async with aclosing(_events(pieces)) as events:
        async for event in events:
            if event == b"[DONE]":
                answer.done = True
                break
            if delta := answer.take(event):
                yield Delta(delta)
    yield answer.whole()


async def _events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The events that say something; an empty one keeps a connection alive."""
    scanner = EventScanner()
    async for piece in pieces:
        for event in scanner.feed(piece):
            if said := event.strip():
                yield said


@dataclass(slots=True)
class _Answer:
    """What has arrived so far."""

    redact: Callable[[str], str]
    texts: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model_used: str | None = None
    engine: str | None = None
    usage: Usage | None = None
    done: bool = False

    def take(self, event: bytes) -> str:
        """Read one event; the text it adds."""
        fields = _good(parse_json(event), "an event of the answer", self.redact)
        self.model_used = fields.text("model_used", "model") or self.model_used
        self.engine = fields.text("engine") or self.engine
        self.usage = usage(fields) or self.usage
        self.finish_reason = fields.text("finish_reason") or self.finish_reason
        return self._choice(fields)

    def _choice(self, fields: Fields) -> str:
        choice = first_choice(fields) if fields.raw("choices") is not None else None
        if choice is None:
            return ""
        self.finish_reason = choice.text("finish_reason") or self.finish_reason
        delta = choice.child("delta")
        added = (delta.text("content") or "") if delta else ""
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


def _good(value: object, what: str, redact: Callable[[str], str]) -> Fields:
    """The fields of an answer. Unlike a lease, one that carries an `error` has failed."""
    fields = Fields(value, what)
    if fields.raw("error") or fields.raw("object") == "error":
        message, code = error_words(value, redact)
        raise ServerFault(
            f"the server broke off its answer: {message or 'an error without a message'}", platform_code=code
        )
    return fields


def first_choice(fields: Fields) -> Fields | None:
    """The choice of index 0: a server that was configured to give several gives them side by side."""
    return next((one for one in fields.children("choices") if not one.whole("index")), None)


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
