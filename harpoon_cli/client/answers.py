"""Asks a prompt and puts its answer together, for every dialect that streams OpenAI-shaped chunks."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

from harpoon_cli.client.inference import InferenceOptions
from harpoon_cli.client.refusals import error_beside, error_words
from harpoon_cli.client.retry import harmless, repeat_stream, unsent
from harpoon_cli.client.transport import Transport
from harpoon_cli.client.wire import ANSWER_CAP, EventScanner, Fields, parse_json
from harpoon_cli.domain import GIVEN_UP, Completion, Delta, Usage
from harpoon_cli.errors import BrokenOff, GarbledAnswer, ServerFault
from harpoon_cli.values import Struct, field

T = TypeVar("T")

_FAILURES = re.compile(
    rb"(.*[._-])?(error|exception|fatal|fail(ed|ure)?|abort(ed)?|cancell?ed|timeout)", re.IGNORECASE
)
"""What servers call the event that ends an answer before its end."""


async def asked(transport: Transport, path: str, body: object, options: InferenceOptions) -> Fields:
    """The fields of a whole answer. A prompt is asked again only where it cannot run twice by that."""
    key = _key(options)

    async def ask(left_s: float) -> AsyncGenerator[object, None]:
        yield await transport.call("POST", path, body=body, headers=key, deadline_s=left_s)

    async with aclosing(_repeated(ask, options)) as answers:
        return _good(await anext(answers), "the answer to the prompt", transport.redacted)


async def streamed(
    transport: Transport, path: str, body: object, options: InferenceOptions
) -> AsyncGenerator[Delta | Completion, None]:
    """The parts of a streamed answer, the whole last; asked again only where it cannot run twice by that."""
    key, told = _key(options), _Told()

    async def ask(left_s: float) -> AsyncGenerator[tuple[_Telling, Delta | Completion], None]:
        telling = _Telling(told)
        async with (
            transport.events(path, body=body, headers=key, deadline_s=left_s) as pieces,
            aclosing(assemble(pieces, transport.redacted)) as parts,
        ):
            async for part in parts:
                yield telling, part

    async with aclosing(_repeated(ask, options)) as parts:
        async for telling, part in parts:
            if isinstance(part, Completion):
                telling.must_be_over()
                yield part
            elif fresh := telling.rest_of(part.text):
                yield Delta(fresh)


def _repeated(
    ask: Callable[[float], AsyncGenerator[T, None]], options: InferenceOptions
) -> AsyncGenerator[T, None]:
    may_repeat = harmless if options.idempotency_keys else unsent
    return repeat_stream(ask, policy=options.retry, deadline_s=options.deadline_s, may_repeat=may_repeat)


def _key(options: InferenceOptions) -> dict[str, str]:
    """The header that makes all attempts of one prompt the same request, where the server honours it."""
    return {"Idempotency-Key": f"hpn-{secrets.token_hex(16)}"} if options.idempotency_keys else {}


class _Told(Struct):
    """What of an answer has been passed on, by all attempts together."""

    texts: list[str] = field(default_factory=list)


class _Telling:
    """One attempt's answer, which is passed on from where the attempts before it have stopped."""

    def __init__(self, told: _Told) -> None:
        self._told = told
        self._again = "".join(told.texts)
        self._position = 0

    def rest_of(self, text: str) -> str:
        """What is new in the next piece; `GarbledAnswer` where the repeat says something else than before."""
        known = self._again[self._position : self._position + len(text)]
        self._position += len(text)
        if not text.startswith(known):
            raise _another_answer()
        fresh = text[len(known) :]
        self._told.texts.append(fresh)
        return fresh

    def must_be_over(self) -> None:
        if self._position < len(self._again):
            raise _another_answer()


def _another_answer() -> GarbledAnswer:
    return GarbledAnswer(
        "the answer broke off, and its repeat is another one",
        hint="a server that answers anew needs platform.idempotency_keys = false",
    )


async def assemble(
    pieces: AsyncIterator[bytes], redact: Callable[[str], str] = str
) -> AsyncGenerator[Delta | Completion, None]:
    """Deltas as they arrive, then the whole answer; `BrokenOff` where the stream ends before the answer does.

    The end of an answer is the [DONE] mark, after which nothing is read, or a finish_reason and the end of
    the stream; an event that is or holds an error is `ServerFault`, its words passed through `redact`. An
    answer longer than any is `GarbledAnswer`, and so is one that is marked as whole and says nothing.
    """
    answer = _Answer(redact)
    async with aclosing(_events(pieces, redact)) as events:
        async for event in events:
            if event == b"[DONE]":
                answer.done = True
                break
            if delta := answer.take(event):
                yield Delta(delta)
    yield answer.whole()


async def _events(pieces: AsyncIterator[bytes], redact: Callable[[str], str]) -> AsyncGenerator[bytes, None]:
    """The events that say something; an empty one keeps a connection alive."""
    scanner = EventScanner()
    async for piece in pieces:
        for event in scanner.feed(piece):
            if _FAILURES.fullmatch(scanner.name):
                raise _broken_off(event, redact)
            if said := event.strip():
                yield said


class _Answer(Struct):
    """What has arrived so far."""

    redact: Callable[[str], str]
    texts: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model_used: str | None = None
    engine: str | None = None
    usage: Usage | None = None
    done: bool = False
    characters: int = 0

    def take(self, event: bytes) -> str:
        """Read one event; the text it adds."""
        fields = _good(parse_json(event), "an event of the answer", self.redact)
        self.model_used = fields.text("model_used", "model") or self.model_used
        self.engine = fields.text("engine") or self.engine
        self.usage = usage(fields) or self.usage
        self.finish_reason = fields.text("finish_reason") or self.finish_reason
        return self._choice(fields)

    def _choice(self, fields: Fields) -> str:
        choice = first_choice(fields, self.redact) if fields.raw("choices") is not None else None
        if choice is None:
            return ""
        self.finish_reason = choice.text("finish_reason") or self.finish_reason
        delta = choice.child("delta")
        added = (delta.text("content", cap=ANSWER_CAP) or "") if delta else ""
        self.characters += len(added)
        if self.characters > ANSWER_CAP:
            raise GarbledAnswer(f"the answer has more than {ANSWER_CAP} characters")
        if added:
            self.texts.append(added)
        return added

    def whole(self) -> Completion:
        if not self.done and self.finish_reason is None:
            raise BrokenOff(
                "the answer stops in the middle: the stream ended without saying that it is whole"
            )
        must_have_ended_well("".join(self.texts), self.finish_reason)
        return Completion(
            text="".join(self.texts),
            finish_reason=self.finish_reason or "unknown",
            model_used=self.model_used,
            usage=self.usage,
            engine=self.engine,
        )


def must_have_ended_well(text: str | None, finish_reason: str | None) -> None:
    """A server that gave up says so in the reason alone, after text that looks like an answer."""
    if (finish_reason or "").lower() in GIVEN_UP:
        raise ServerFault(f"the server broke off its answer: its finish_reason is {finish_reason!r}")
    if not text and finish_reason is None:
        raise GarbledAnswer("the answer is empty, and does not say why it ended")


def _good(value: object, what: str, redact: Callable[[str], str]) -> Fields:
    """The fields of an answer. Unlike a lease, one that carries an `error` has failed."""
    fields = Fields(value, what)
    # In place of an answer, or of a part of one, FastAPI's {"detail": …} is an error too.
    detailed = bool(fields.raw("detail")) and fields.only("detail")
    if detailed or error_beside(value):
        raise _broken_off(value, redact)
    return fields


def _broken_off(error: object, redact: Callable[[str], str]) -> ServerFault:
    """What a server says in place of the rest of its answer."""
    message, code = error_words(error, redact)
    return ServerFault(
        f"the server broke off its answer: {message or 'an error without a message'}", platform_code=code
    )


def first_choice(fields: Fields, redact: Callable[[str], str]) -> Fields | None:
    """The choice of index 0: a server that was configured to give several gives them side by side.

    One that holds an error is `ServerFault`, its words passed through `redact`.
    """
    choice = next((one for one in fields.children("choices") if not one.whole("index")), None)
    if choice is not None and choice.raw("error"):
        raise _broken_off({"error": choice.raw("error")}, redact)
    return choice


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
