"""The default data plane: POST /v1/inference with the lease's id, answered as JSON or as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from harpoon_cli.client.answers import asked, must_have_ended_well, streamed, usage
from harpoon_cli.client.inference import InferenceOptions
from harpoon_cli.client.transport import Transport
from harpoon_cli.client.wire import ANSWER_CAP
from harpoon_cli.domain import Completion, CompletionRequest, Delta
from harpoon_cli.errors import NotOffered


def create(transport: Transport, options: InferenceOptions) -> SeedInference:
    return SeedInference(transport, options)


class SeedInference:
    """See `client.service.DataPlane`."""

    def __init__(self, transport: Transport, options: InferenceOptions) -> None:
        self._transport = transport
        self._options = options
        self._path = options.path or "/v1/inference"

    async def complete(self, request: CompletionRequest) -> Completion:
        fields = await asked(self._transport, self._path, _body(request, stream=False), self._options)
        text, finish_reason = fields.required_text("text", cap=ANSWER_CAP), fields.text("finish_reason")
        must_have_ended_well(text, finish_reason)
        return Completion(
            text=text,
            finish_reason=finish_reason or "unknown",
            model_used=fields.text("model_used"),
            usage=usage(fields),
            engine=fields.text("engine"),
        )

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        return streamed(self._transport, self._path, _body(request, stream=True), self._options)

    async def models(self) -> tuple[str, ...]:
        raise NotOffered("this platform does not list the models it serves")


def _body(request: CompletionRequest, *, stream: bool) -> dict[str, object]:
    """The contract has one prompt and no roles, so a system text stands before it."""
    system = request.prompt.system
    optional = {
        "allocation_id": request.lease_id,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    return {
        "model": request.model,
        "prompt": f"{system}\n\n{request.prompt.text}" if system else request.prompt.text,
        **{name: value for name, value in optional.items() if value is not None},
        "stream": stream,
    }
