"""`bench --shard` and `bench merge`: one part of a run to a file, and such files to parts again."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING

from harpoon_cli.bench.planning.load import Shape
from harpoon_cli.bench.planning.plan import WHOLE, Plan, Shard
from harpoon_cli.cli.bench.files import text_in
from harpoon_cli.cli.bench.options import ShardOptions
from harpoon_cli.errors import StorageFault, UsageFault

if TYPE_CHECKING:
    from harpoon_cli.bench.spreading.shards import ShardResult

MOST_PARTS = 100_000

LATE_NS = 1_000_000_000
"""A part that would begin later than this after its time is not begun: it would be no part of that load."""


def shard_of(options: ShardOptions, plan: Plan, out: Path | None) -> Shard:
    """The part that is asked for; `UsageFault` where there is none, or where it would be lost."""
    if options.workers is not None and (options.shard or options.start_at):
        raise UsageFault("--workers makes the parts itself", hint="leave out --shard and --start-at")
    if options.shard is None:
        if options.start_at is not None:
            raise UsageFault("--start-at needs --shard", hint="--shard 0/4 --start-at 2026-11-22T10:00:00Z")
        return WHOLE
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", options.shard, re.ASCII)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 <= number < of <= MOST_PARTS:
        raise UsageFault(f"--shard {options.shard[:40]} is no part of a whole", hint="--shard 0/4 to 3/4")
    if out is None:
        raise UsageFault("--shard needs a file for what came of it", hint="--out FILE")
    if not isinstance(plan.load, Shape):
        raise UsageFault(
            "a search cannot be made in parts: its next stage depends on all of them",
            hint="give the parts one load each time, such as closed:concurrency=256,for=60s",
        )
    return number, of


def start_ns(options: ShardOptions) -> int | None:
    """The monotonic time of --start-at; `UsageFault` where it is past."""
    if options.start_at is None:
        return None
    ahead_ns = _moment_ns(options.start_at) - time_ns()
    if ahead_ns < -LATE_NS:
        raise UsageFault(
            f"--start-at {options.start_at} was {-ahead_ns / 1e9:.1f} s ago", hint="name a time to come"
        )
    return monotonic_ns() + ahead_ns


def _moment_ns(text: str) -> int:
    """A point in time in nanoseconds since 1970; UTC where no zone is named."""
    try:
        if re.fullmatch(r"[0-9]{1,11}(\.[0-9]{1,9})?", text, re.ASCII):
            whole, _, rest = text.partition(".")
            return int(whole) * 1_000_000_000 + int(rest.ljust(9, "0"))
        at = datetime.fromisoformat(text if _has_zone(text) else f"{text}+00:00")
        return round(at.timestamp() * 1e9)
    except (ValueError, OverflowError, OSError) as cause:
        raise UsageFault(
            f"--start-at {text[:40]!r} is no point in time",
            hint="2026-11-22T10:00:00Z, or seconds since 1970: date -d '+10 seconds' +%s",
        ) from cause


def _has_zone(text: str) -> bool:
    return re.search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", text) is not None


def save_part(result: ShardResult, path: Path) -> None:
    """Write a part, whole or not at all. `StorageFault` where that fails."""
    from harpoon_cli.bench.spreading.shards import text_of

    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text_of(result), "utf-8")
        unfinished.replace(path)
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise StorageFault(f"{path} cannot be written: {reason}", hint="name another file") from cause
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read_parts(paths: Sequence[Path]) -> list[ShardResult]:
    """The parts in some files."""
    from harpoon_cli.bench.spreading.shards import read

    return [read(text_in(path), str(path)) for path in paths]
