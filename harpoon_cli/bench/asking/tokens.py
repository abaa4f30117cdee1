"""Counts tokens with a tokenizer file; loads the library for it only when it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from harpoon_cli.bench.asking.rows import open_file
from harpoon_cli.errors import ConfigurationFault, UsageFault

LARGEST_FILE_BYTES = 256 * 2**20


class _Encoding(Protocol):
    def __len__(self) -> int: ...


class _Tokenizer(Protocol):
    def no_truncation(self) -> None: ...

    def no_padding(self) -> None: ...

    def encode(self, sequence: str, *, add_special_tokens: bool) -> _Encoding: ...


def counter(path: Path) -> Callable[[str], int]:
    """What counts the tokens of a text by a tokenizer.json (Hugging Face's format).

    Neither special tokens nor a chat template are counted. `ConfigurationFault` where the package tokenizers
    is not installed, `UsageFault` where the file is no tokenizer.
    """
    tokenizer = _load(path)
    # Some files ask to be cut or filled to a length, which would be the count of every text.
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    return count


def _load(path: Path) -> _Tokenizer:
    with open_file(path) as file:
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise UsageFault(
            f"{path} is larger than {LARGEST_FILE_BYTES // 2**20} MB, so it is no tokenizer file"
        )
    try:
        from tokenizers import Tokenizer  # an optional extra of several MB
    except ImportError as cause:
        raise ConfigurationFault(
            "counting tokens with a file needs the package tokenizers, which is not installed",
            hint="pip install 'harpoon-cli[tokenizer]', or leave the counting to the server",
        ) from cause
    try:
        return cast(_Tokenizer, Tokenizer.from_buffer(content))
    except Exception as cause:  # the library raises a bare Exception
        raise UsageFault(
            f"{path} is not a tokenizer file: {cause}", hint="name the model's tokenizer.json"
        ) from cause
