"""The default data plane, as the load engine asks it: POST /v1/inference with the lease's id. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harpoon_cli.bench.dialects._template import Template, quoted
from harpoon_cli.bench.recording.sample import Ask, Message

PATH = "/v1/inference"


def writer(fields: Mapping[str, object], *, stream: bool) -> PromptWriter:
    """`fields` holds the lease's `allocation_id`."""
    return PromptWriter(Template("prompt", {"stream": stream}, fields))


class PromptWriter:
    """See `bench.dialects.Writer`."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def body(self, ask: Ask, history: Sequence[Message]) -> bytes:
        """The contract has one prompt and no roles: the turns stand in it one after another."""
        turns = [*history, *ask.messages]
        return self._template.body(ask, quoted("\n\n".join(message.content for message in turns)))
