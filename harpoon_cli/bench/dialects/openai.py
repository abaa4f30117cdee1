"""Any OpenAI-compatible server, as the load engine asks it: …/chat/completions below its URL. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harpoon_cli.bench.dialects._template import Template, quoted
from harpoon_cli.bench.recording.sample import Ask, Message

PATH = "/chat/completions"

_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def writer(fields: Mapping[str, object], *, stream: bool) -> ChatWriter:
    return ChatWriter(Template("messages", _STREAMED if stream else {}, fields))


class ChatWriter:
    """See `bench.dialects.Writer`."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def body(self, ask: Ask, history: Sequence[Message]) -> bytes:
        turns = [*history, *ask.messages] if history else ask.messages
        return self._template.body(ask, f"[{_listed(turns)}]")


def _listed(messages: Iterable[Message]) -> str:
    return ",".join(
        f'{{"role":{quoted(message.role)},"content":{quoted(message.content)}}}' for message in messages
    )
