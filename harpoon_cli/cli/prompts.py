"""Where a prompt comes from: the command line, a file, or standard input; checked before any lease."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from harpoon_cli.errors import UsageFault

LONGEST_PROMPT_BYTES = 4 * 1024 * 1024
"""More than any model of today can read; a larger input is a mistake, such as the wrong file."""

PIECE_BYTES = 64 * 1024


async def read_prompt(argument: str | None, file: Path | None, command: str = "infer") -> str:
    """The prompt's text: `argument`, or standard input where it is "-", or the file's.

    command is the one that wants it, for hints. A cancel takes effect also while standard input keeps us
    waiting.
    """
    example = f'harpoon {command} "Why is the sky blue?"'
    if (argument is None) == (file is None):
        raise UsageFault(
            "give one prompt: as an argument, as --file, or - for standard input",
            hint=example,
        )
    if file is not None:
        return checked(_decoded(_file_bytes(file), str(file)), example)
    if argument == "-":
        return checked(_decoded(await _stdin_bytes(), "standard input"), example)
    return checked(argument or "", example)


def _file_bytes(file: Path) -> bytes:
    """At most one byte more than is allowed."""
    try:
        with file.open("rb") as handle:
            return handle.read(LONGEST_PROMPT_BYTES + 1)
    except OSError as cause:
        raise UsageFault(f"the prompt file {file} cannot be read: {cause.strerror}") from cause


async def _stdin_bytes() -> bytes:
    """At most one piece more than is allowed, without keeping the loop from its signals."""
    if sys.stdin is None:
        raise UsageFault("standard input is closed", hint="give the prompt as an argument or as --file")
    content = bytearray()
    try:
        handle = sys.stdin.fileno()
        while len(content) <= LONGEST_PROMPT_BYTES:
            await _readable(handle)
            piece = os.read(handle, PIECE_BYTES)
            if not piece:
                break
            content += piece
    except OSError:  # a file, or no file descriptor at all: reading it keeps nobody waiting
        return sys.stdin.buffer.read(LONGEST_PROMPT_BYTES + 1)
    return bytes(content)


async def _readable(handle: int) -> None:
    """Wait until a pipe or a terminal can be read; `OSError` for what cannot be waited for."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()

    def once() -> None:
        # A second call for the same bytes would let the next read block.
        loop.remove_reader(handle)
        ready.set()

    loop.add_reader(handle, once)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(handle)


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        if len(content) > LONGEST_PROMPT_BYTES:
            return "x" * len(content)  # too long in any encoding, which is what will be said
        raise UsageFault(
            f"{source} is not UTF-8 text (byte {cause.start})", hint="convert it: iconv -t UTF-8 FILE"
        ) from cause


def checked(text: str, hint: str, what: str = "the prompt") -> str:
    """A text that can be a prompt; `UsageFault` for any other, in which it is called `what`."""
    if not text.strip():
        raise UsageFault(f"{what} is empty", hint=hint)
    if len(text) > LONGEST_PROMPT_BYTES:
        limit = LONGEST_PROMPT_BYTES // 2**20
        raise UsageFault(f"{what} is longer than {limit} MB", hint="send a part of it")
    if "\0" in text:
        raise UsageFault(f"{what} holds NUL bytes: this is binary data, not text")
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise UsageFault(f"{what} is not UTF-8 text", hint="set the terminal to UTF-8") from cause
    return text
