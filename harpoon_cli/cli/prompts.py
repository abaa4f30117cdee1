"""Where a prompt comes from: the command line, a file, or standard input; checked before any lease."""

from __future__ import annotations

import sys
from pathlib import Path

from harpoon_cli.errors import UsageFault

LONGEST_PROMPT_BYTES = 4 * 1024 * 1024
"""More than any model of today can read; a larger input is a mistake, such as the wrong file."""


def read_prompt(argument: str | None, file: Path | None) -> str:
    """The prompt's text: `argument`, or standard input where it is "-", or the file's."""
    if (argument is None) == (file is None):
        raise UsageFault(
            "give one prompt: as an argument, as --file, or - for standard input",
            hint='harpoon infer "Why is the sky blue?"',
        )
    text = argument if argument not in (None, "-") else _decoded(*_bytes_of(file))
    assert text is not None, "one of the two was given"
    return _checked(text)


def _bytes_of(file: Path | None) -> tuple[bytes, str]:
    """At most one byte more than is allowed, and what to call their source."""
    if file is None:
        return sys.stdin.buffer.read(LONGEST_PROMPT_BYTES + 1), "standard input"
    try:
        with file.open("rb") as handle:
            return handle.read(LONGEST_PROMPT_BYTES + 1), str(file)
    except OSError as cause:
        raise UsageFault(f"the prompt file {file} cannot be read: {cause.strerror}") from cause


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        if len(content) > LONGEST_PROMPT_BYTES:
            return "x" * len(content)  # too long in any encoding, which is what will be said
        raise UsageFault(
            f"{source} is not UTF-8 text (byte {cause.start})", hint="convert it: iconv -t UTF-8 FILE"
        ) from cause


def _checked(text: str) -> str:
    if not text.strip():
        raise UsageFault("the prompt is empty", hint='harpoon infer "Why is the sky blue?"')
    if len(text) > LONGEST_PROMPT_BYTES:
        limit = LONGEST_PROMPT_BYTES // 2**20
        raise UsageFault(f"the prompt is longer than {limit} MB", hint="send a part of it")
    if "\0" in text:
        raise UsageFault("the prompt holds NUL bytes: this is binary data, not text")
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise UsageFault("the prompt is not UTF-8 text", hint="set the terminal to UTF-8") from cause
    return text
