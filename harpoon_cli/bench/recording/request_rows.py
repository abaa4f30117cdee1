"""A row for every request in a CSV file, written as they end and read back for reports; nothing else.

Times are milliseconds after the run's start, durations milliseconds. `gaps_ms` (only where asked for) holds
every gap between chunks, with blanks between. Text that a spreadsheet would take for a formula starts with an
apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from harpoon_cli.bench.judging.measures import (
    connecting_ns,
    gaps_ns,
    last_ns,
    start_ns,
    time_per_token_ns,
    tokens_of,
)
from harpoon_cli.bench.recording.sample import Counted, Sample
from harpoon_cli.errors import StorageFault
from harpoon_cli.values import Struct

COLUMNS = (
    "index",
    "model",
    "status",
    "error",
    "good",
    "intended_ms",
    "ready_ms",
    "sent_ms",
    "done_ms",
    "queueing_ms",
    "dns_ms",
    "connect_ms",
    "tls_ms",
    "first_byte_ms",
    "ttft_ms",
    "tpot_ms",
    "request_mean_gap_ms",
    "e2e_ms",
    "chunks",
    "input_tokens",
    "output_tokens",
    "counted",
    "read_lag_ms",
    "gaps_ms",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RowFile:
    """Takes samples and writes a row for each; closed at the end of a `with`.

    with_gaps=True keeps every gap, which takes the most room by far. A file that cannot be written raises
    `StorageFault`.
    """

    def __init__(self, path: Path, *, with_gaps: bool = False) -> None:
        self.path = path
        self._with_gaps = with_gaps
        try:
            self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        except OSError as cause:
            raise _unwritable(path, cause) from cause
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def add(self, sample: Sample, *, good: bool) -> None:
        """Write one request's row."""
        try:
            self._rows.writerow(_row(sample, good=good, with_gaps=self._with_gaps))
        except OSError as cause:
            raise _unwritable(self.path, cause) from cause

    def close(self) -> None:
        """Bring everything to the file."""
        try:
            self._file.close()
        except OSError as cause:
            raise _unwritable(self.path, cause) from cause

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unwritable(path: Path, cause: OSError) -> StorageFault:
    reason = cause.strerror or type(cause).__name__
    return StorageFault(f"{path} cannot be written: {reason}", hint="name another file, or make room")


def _row(sample: Sample, *, good: bool, with_gaps: bool) -> list[str | int]:
    chunks, sent, last = sample.chunk_ns, sample.sent_ns, last_ns(sample)
    mean_gap = (chunks[-1] - chunks[0]) / (len(chunks) - 1) if len(chunks) > 1 else None
    waited = None if sent is None else sent - start_ns(sample) - connecting_ns(sample)
    counted = Counted.CHUNKS if sample.output_tokens is None else sample.counted
    return [
        sample.index,
        safe_cell(sample.model),
        "" if sample.status is None else sample.status,
        safe_cell(sample.error or ""),
        int(good),
        *map(_ms, (sample.intended_ns, sample.ready_ns, sent, sample.done_ns, waited)),
        *map(_ms, (sample.dns_ns, sample.connect_ns, sample.tls_ns, _since(sent, sample.first_byte_ns))),
        *map(_ms, (_since(sent, chunks[0] if chunks else None), time_per_token_ns(sample), mean_gap)),
        _ms(_since(sent, last) if sample.error is None else None),
        len(chunks),
        "" if sample.input_tokens is None else sample.input_tokens,
        tokens_of(sample),
        counted.value,
        _ms(sample.lag_ns),
        " ".join(map(_ms, gaps_ns(chunks))) if with_gaps else "",
    ]


def _since(start_ns: int | None, end_ns: int | None) -> int | None:
    return None if start_ns is None or end_ns is None else end_ns - start_ns


def _ms(value_ns: float | None) -> str:
    return "" if value_ns is None else f"{value_ns / 1e6:.6f}".rstrip("0").rstrip(".")


def safe_cell(text: str) -> str:
    """Text that no spreadsheet runs, on one line, without NUL."""
    shown = text.replace("\0", "\ufffd").replace("\r", "\\r").replace("\n", "\\n")
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


class Row(Struct, frozen=True):
    """What reports want of a row; durations and times in s, 0 where there is none."""

    index: int
    error: str
    input_tokens: int
    output_tokens: int
    sent_s: float
    done_s: float
    queueing_s: float
    ttft_s: float
    e2e_s: float
    gaps_s: tuple[float, ...]


def read_rows(paths: Sequence[Path]) -> list[Row]:
    """All rows of some files in the order of the plan. `StorageFault` for a file that is not one of ours."""
    rows = [row for path in paths for row in _rows_of(path)]
    return sorted(rows, key=lambda row: row.index)


def _rows_of(path: Path) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # gaps of a long answer are longer than the usual limit
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for record in csv.DictReader(file):
                yield _as_row(record)
    except OSError as cause:
        raise StorageFault(f"{path} cannot be read: {cause.strerror}", hint="run the test again") from cause
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as cause:
        raise StorageFault(f"{path} is not a file of requests", hint="run the test again") from cause


def _as_row(record: dict[str, str]) -> Row:
    good_answer = not record["error"]
    return Row(
        index=int(record["index"]),
        error=record["error"],
        input_tokens=int(record["input_tokens"] or 0) if good_answer else 0,
        output_tokens=int(record["output_tokens"]) if good_answer else 0,
        sent_s=_seconds(record["sent_ms"]),
        done_s=_seconds(record["done_ms"]),
        queueing_s=_seconds(record["queueing_ms"]),
        ttft_s=_seconds(record["ttft_ms"]) if good_answer else 0.0,
        e2e_s=_seconds(record["e2e_ms"]) if good_answer else 0.0,
        gaps_s=tuple(map(_seconds, record["gaps_ms"].split())) if good_answer else (),
    )


def _seconds(text: str) -> float:
    return float(text) / 1000 if text else 0.0
