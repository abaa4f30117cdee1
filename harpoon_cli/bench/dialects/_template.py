"""Writes JSON bodies that differ in their prompt only, at the price of escaping that prompt; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii

from harpoon_cli.bench.recording.sample import Ask

SLOT = "\N{OBJECT REPLACEMENT CHARACTER}prompt\N{OBJECT REPLACEMENT CHARACTER}"
"""Where the prompt goes into a body that is ready but for it."""

ESCAPED_SLOT = json.dumps(SLOT)
KEPT_FRAMES = 256
"""How many bodies without their prompt are kept: one for each model and length in use."""


def quoted(text: str) -> str:
    """A JSON string. Escaped to ASCII, so that no text fails to encode, half a surrogate pair included."""
    return encode_basestring_ascii(text)


class Template:
    """Fills a prompt into a body that was made once for each model and number of tokens.

    name is the field of the prompt, `ours` the dialect's other fields, `fields` the operator's, which win.
    """

    def __init__(self, name: str, ours: Mapping[str, object], fields: Mapping[str, object]) -> None:
        self._name = name
        self._ours = ours
        self._fields = fields
        self._frame = lru_cache(KEPT_FRAMES)(self._make)

    def body(self, ask: Ask, prompt: str) -> bytes:
        """The body; `prompt` is the JSON text of the prompt's value."""
        before, after = self._frame(ask.model, ask.max_tokens)
        return f"{before}{prompt}{after}".encode("ascii")

    def _make(self, model: str, max_tokens: int) -> tuple[str, str]:
        body = {"model": model, self._name: SLOT, "max_tokens": max_tokens, **self._ours}
        kept = {name: value for name, value in self._fields.items() if name != self._name}
        before, _, after = json.dumps(body | kept, separators=(",", ":")).partition(ESCAPED_SLOT)
        return before, after
