"""The operator's own routing files: outcomes that were recorded, and weights fitted on them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from harpoon_cli.errors import StorageFault, UsageFault
from harpoon_cli.routing.outcomes import Outcome, parse, to_line
from harpoon_cli.routing.weights import Weights
from harpoon_cli.routing.weights_file import LARGEST_FILE, dump, load_own
from harpoon_cli.settings.files import read_small, write_whole
from harpoon_cli.settings.paths import make_private, state_dir

_MODE = 0o600
_LARGEST_OUTCOMES = 256 * 1024 * 1024


def weights_path() -> Path:
    """Where weights fitted by `route calibrate` are kept, there or not."""
    return state_dir() / "routing-weights.bin"


def outcomes_path() -> Path:
    """Where `route record` collects outcomes, there or not."""
    return state_dir() / "outcomes.jsonl"


def installed() -> Weights | None:
    """The operator's own weights over the shipped ones, None where there are none of their own.

    `ConfigurationFault` for unusable ones.
    """
    path = weights_path()
    if not os.path.lexists(path):
        return None
    content, _ = read_small(path, "the file of routing weights", limit=LARGEST_FILE)
    return load_own(content, str(path))


def install(weights: Weights) -> Path:
    """Make these the weights in use, at once or not at all; the file."""
    make_private(state_dir())
    path = weights_path()
    write_whole(path, dump(weights), _MODE)
    return path


def read_outcomes(path: Path) -> Sequence[Outcome]:
    """The rows of a file of outcomes; `UsageFault` where it, or a row of it, cannot be read."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageFault(f"{path} is not a file", hint="save what it gives to a file first")
        if path.stat().st_size > _LARGEST_OUTCOMES:
            raise UsageFault(
                f"{path} is larger than {_LARGEST_OUTCOMES // 2**20} MB", hint="give a part of it"
            )
        with path.open(encoding="utf-8-sig") as file:
            return list(parse(file, str(path)))
    except OSError as cause:
        raise UsageFault(
            f"the outcomes {path} cannot be read: {cause.strerror or cause}",
            hint="harpoon route record collects outcomes",
        ) from cause
    except UnicodeDecodeError as cause:
        raise UsageFault(f"{path} is not UTF-8 text", hint="convert it: iconv -t UTF-8 FILE") from cause


def append_outcome(path: Path, outcome: Outcome) -> None:
    """Add one row to a file of outcomes, which is made for this user alone where it is not there."""
    if path == outcomes_path():
        make_private(path.parent)
    try:
        # One write to the end: two commands at once do not mix their rows.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):  # a pipe would take the row and keep nothing
                raise UsageFault(f"{path} is not a file", hint="--to names a file that rows are kept in")
            file.write((_line_end(file) + to_line(outcome)).encode())
    except OSError as cause:
        raise StorageFault(
            f"cannot write {path}: {cause.strerror or cause}",
            hint="look at its permissions and the free space",
        ) from cause


def _line_end(file: FileIO) -> str:
    """What the last row lacks: a file written by hand, or by a command that was killed, may not end it."""
    size = os.fstat(file.fileno()).st_size
    return "\n" if size and os.pread(file.fileno(), 1, size - 1) != b"\n" else ""
