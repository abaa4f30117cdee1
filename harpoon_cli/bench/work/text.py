"""Prompts from text files: each file, line or paragraph is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from harpoon_cli.bench.asking import prompts
from harpoon_cli.bench.asking.asks import Order, Work
from harpoon_cli.bench.asking.rows import LONGEST_LINE_BYTES, open_file
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import PATH, choice
from harpoon_cli.bench.recording.sample import Ask
from harpoon_cli.errors import UsageFault

SUFFIXES = (".txt", ".md")
_EMPTY_LINES = re.compile(r"\r?\n[ \t]*\r?\n")


class Text(Work, frozen=True, kw_only=True):
    """A file, or every .txt and .md file in a folder and below it, in the order of their names."""

    path: Annotated[Path, Parameter(PATH, "the text file, or a folder of them")]
    each: Annotated[str, Parameter(choice("file", "line", "paragraph"), "what one prompt is")] = "file"
    output: prompts.Output = prompts.DEFAULT_OUTPUT
    records: prompts.Records = 10_000
    order: prompts.InOrder = "file"

    @property
    def files(self) -> Sequence[Path]:
        return _files(self.path)

    def asks(self, order: Order) -> Iterator[Ask | None]:
        found = (prompts.prompt(text) for file in _files(self.path) for text in self._texts(file))
        records = prompts.kept(found, self.records, self.path)
        return prompts.asks(records, self.output, self.order, None, order)

    def _texts(self, file: Path) -> Iterator[str]:
        text = _text(file)
        match self.each:
            case "line":
                pieces = text.splitlines()
            case "paragraph":
                pieces = _EMPTY_LINES.split(text)
            case _:
                pieces = [text]
        return (piece.strip() for piece in pieces if piece.strip())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    except OSError as cause:
        raise UsageFault(f"the folder {path} cannot be read: {cause.strerror}") from cause


def _text(path: Path) -> str:
    with open_file(path) as file:
        try:
            content = file.read(LONGEST_LINE_BYTES + 1)
        except OSError as cause:
            raise UsageFault(f"{path} cannot be read: {cause.strerror}") from cause
    if len(content) > LONGEST_LINE_BYTES:
        raise UsageFault(f"{path} is larger than {LONGEST_LINE_BYTES // 2**20} MB", hint="cut it into files")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise UsageFault(f"{path} is not UTF-8 text (byte {cause.start})") from cause
    if "\0" in text:
        raise UsageFault(f"{path} holds NUL bytes: this is binary data, not text")
    return text


WORK = Text
