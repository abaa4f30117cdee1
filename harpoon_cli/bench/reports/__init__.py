"""Files that tell a result, one format a file; adding a file here adds a format. Only `save` writes anything.

Each file holds `pieces(source) -> Iterator[str]`, the text of the report, and says with `WANTS_ROWS` whether
it needs a row for every request (`request_rows`), which has to be kept during the run. A format judges
nothing: all it says is in the `Report`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harpoon_cli.bench.judging.report import Report
from harpoon_cli.discovery import Folder
from harpoon_cli.errors import StorageFault
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from harpoon_cli.bench.judging.compare import Comparison

FORMATS = Folder(__name__, __path__, "report format")


class Source(Struct, frozen=True):
    """What a format makes its text from: the report, and the files with a row for every request, if kept.

    detailed: tell of each request as well, where the format can. comparison: with the baseline, if any.
    """

    report: Report
    rows: tuple[Path, ...] = ()
    detailed: bool = False
    comparison: Comparison | None = None


Pieces = Callable[[Source], Iterator[str]]


def wants_rows(name: str) -> bool:
    """Whether a format needs a row for every request. `UsageFault` where there is no such format."""
    return bool(FORMATS.module(name).WANTS_ROWS)


def text(name: str, source: Source) -> str:
    """The whole text of a report."""
    return "".join(_pieces(name)(source))


def save(name: str, source: Source, path: Path) -> None:
    """Write a report to a file, whole or not at all. `StorageFault` where that fails."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.writelines(_pieces(name)(source))
        unfinished.replace(path)
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise StorageFault(f"{path} cannot be written: {reason}", hint="name another file") from cause
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _pieces(name: str) -> Pieces:
    return cast(Pieces, FORMATS.module(name).pieces)
