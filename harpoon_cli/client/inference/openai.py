"""The data plane of any OpenAI-compatible server: …/chat/completions and …/models below its URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from harpoon_cli.client.answers import asked, first_choice, must_have_ended_well, streamed, usage
from harpoon_cli.client.inference import InferenceOptions
from harpoon_cli.client.retry import repeat
from harpoon_cli.client.transport import Transport
from harpoon_cli.client.wire import ANSWER_CAP, Fields
from harpoon_cli.domain import Completion, CompletionRequest, Delta
from harpoon_cli.errors import GarbledAnswer, NotOffered, Refused


def create(transport: Transport, options: InferenceOptions) -> OpenAiInference:
    return OpenAiInference(transport, options)


class OpenAiInference:
    """See `client.service.DataPlane`. The endpoint's URL ends where `/chat/completions` begins (…/v1)."""

    def __init__(self, transport: Transport, options: InferenceOptions) -> None:
        self._transport = transport
        self._options = options
        self._path = options.path or "/chat/completions"

    async def complete(self, request: CompletionRequest) -> Completion:
        body = _body(request, stream=False)
        answer = await asked(self._transport, self._path, body, self._options)
        return _completion(answer, self._transport.redacted, logprobs=request.logprobs)

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        return streamed(self._transport, self._path, _body(request, stream=True), self._options)

    async def models(self) -> tuple[str, ...]:
        try:
            answer = await repeat(
                lambda left_s: self._transport.call("GET", "/models", deadline_s=left_s),
                policy=self._options.retry,
                deadline_s=self._options.deadline_s,
            )
        except Refused as refusal:
            if refusal.status not in (404, 405, 501):
                raise
            raise NotOffered(
                "this server does not list the models it serves", status=refusal.status
            ) from refusal
        fields = Fields(answer, "the list of models", holds_key=self._transport.holds_key)
        return tuple(row.identifier("id") for row in fields.children("data"))


def _body(request: CompletionRequest, *, stream: bool) -> dict[str, object]:
    system = request.prompt.system
    messages = [{"role": "system", "content": system}] if system else []
    optional = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "logprobs": True if request.logprobs and not stream else None,
    }
    return {
        "model": request.model,
        "messages": [*messages, {"role": "user", "content": request.prompt.text}],
        **{name: value for name, value in optional.items() if value is not None},
        **({"stream": True, "stream_options": {"include_usage": True}} if stream else {}),
    }


def _completion(fields: Fields, redact: Callable[[str], str], *, logprobs: bool) -> Completion:
    choice = first_choice(fields, redact)
    message = choice.child("message") if choice else None
    if choice is None or message is None:
        raise GarbledAnswer("the answer to the prompt has no choice with a message")
    text, finish_reason = message.text("content", cap=ANSWER_CAP), choice.text("finish_reason")
    must_have_ended_well(text, finish_reason)
    return Completion(
        text=text or "",
        finish_reason=finish_reason or "unknown",
        model_used=fields.text("model"),
        usage=usage(fields),
        engine=fields.text("engine"),
        mean_logprob=_mean_logprob(choice) if logprobs else None,
    )


def _mean_logprob(choice: Fields) -> float | None:
    """The mean over the answer's tokens; None where the server gives none."""
    given = choice.child("logprobs")
    rows = given.children("content") if given and given.raw("content") else ()
    numbers = [row.raw("logprob") for row in rows]
    found = [float(one) for one in numbers if isinstance(one, int | float) and -1000 < one <= 0]
    return sum(found) / len(found) if found and len(found) == len(numbers) else None
