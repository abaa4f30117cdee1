"""Which files a load test writes, and what is read of those that are there; it loads no report for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harpoon_cli.bench.asking.rows import open_file
from harpoon_cli.cli.bench.options import ReportOptions
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from harpoon_cli.bench.judging.report import Report

LARGEST_RESULT_BYTES = 512 * 2**20


def text_in(path: Path) -> str:
    """The text of a result file; `UsageFault` where there is none."""
    with open_file(path) as file:
        content = file.read(LARGEST_RESULT_BYTES + 1)
    if len(content) > LARGEST_RESULT_BYTES:
        raise UsageFault(
            f"{path} is larger than any result",
            hint="harpoon bench ... --out FILE writes results, --shard I/N --out FILE parts",
        )
    return content.decode("utf-8", "replace")


FORMAT_OF = {".html": "html", ".md": "markdown", ".csv": "csv", ".xml": "junit", ".json": "json"}


class Wanted(Struct, frozen=True):
    """A file to write, and in which format."""

    path: Path
    format: str


def wanted_files(options: ReportOptions) -> tuple[Wanted, ...]:
    """The files to write; `UsageFault` for a suffix that means nothing, or a folder that is not there."""
    files = [Wanted(path, _format_of(path)) for path in options.report or ()]
    if options.out is not None:
        files.append(Wanted(options.out, "json"))
    if options.save_result is not None:
        files.append(Wanted(options.save_result, "vllm"))
    elif options.save_detailed:
        raise UsageFault("--save-detailed needs --save-result", hint="--save-result FILE --save-detailed")
    for file in files:
        if not file.path.absolute().parent.is_dir():
            raise UsageFault(
                f"there is no folder {file.path.parent}", hint="name a file in one that is there"
            )
    return tuple(files)


def _format_of(path: Path) -> str:
    found = FORMAT_OF.get(path.suffix.lower())
    if found is None:
        raise UsageFault(
            f"--report {path}: no report has that suffix", hint=f"one of: {', '.join(FORMAT_OF)}"
        )
    return found


def need_rows(files: Sequence[Wanted]) -> bool:
    """Whether any of them needs a row for every request."""
    if not files:
        return False
    from harpoon_cli.bench.reports import wants_rows

    return any(wants_rows(file.format) for file in files)


def read_report(path: Path) -> Report:
    """The result in a file; `UsageFault` where it holds none."""
    from harpoon_cli.bench.judging.report import read

    return read(text_in(path), str(path))
