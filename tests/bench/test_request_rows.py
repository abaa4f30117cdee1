"""A row for every request: what is in it, that it is read back, and that no spreadsheet runs it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.bench.recording.request_rows import COLUMNS, RowFile, read_rows, safe_cell
from harpoon_cli.bench.reports import Source, text
from harpoon_cli.errors import StorageFault, UsageFault
from tests.bench.simulated import (
    few,
    report,
    rows_of,
    run,
)

# Rows


def test_a_row_has_the_times_of_its_request(tmp_path: Path) -> None:
    path = rows_of(few(), tmp_path / "rows.csv")
    first, second, broken, _ = csv.DictReader(path.read_text("utf-8").splitlines())
    assert tuple(first) == COLUMNS
    assert (first["ttft_ms"], first["e2e_ms"], first["gaps_ms"]) == ("50", "70", "10 10")
    assert (second["sent_ms"], second["request_mean_gap_ms"]) == ("1000", "11.666667")
    assert (broken["error"], broken["ttft_ms"], broken["e2e_ms"], broken["good"]) == ("http_503", "", "", "0")


def test_rows_of_shards_become_one_file(tmp_path: Path) -> None:
    paths = (rows_of(run(1), tmp_path / "a.csv"), rows_of(run(1, seed=2), tmp_path / "b.csv"))
    lines = text("csv", Source(report(few()), paths)).splitlines()
    assert len(lines) == 1 + 80
    assert sum(line.startswith("index") for line in lines) == 1
    assert [row.index for row in read_rows(paths)] == sorted([*range(40), *range(40)])


def test_without_rows_there_is_no_csv() -> None:
    with pytest.raises(UsageFault, match="no row was kept"):
        text("csv", Source(report(few())))


@pytest.mark.parametrize("content", [b"index\nx\n", b"\xff\xfe", b"a,b\n1,2\n", b'index\n"' + b"x" * 200_000])
def test_a_file_that_has_no_rows_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(StorageFault):
        read_rows([tmp_path / "rows.csv"])


@given(st.text())
def test_no_cell_is_a_formula_or_breaks_its_line(content: str) -> None:
    cell = safe_cell(content)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not {"\n", "\r", "\0"} & set(cell)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow([cell, "end"])
    assert next(csv.reader(io.StringIO(written.getvalue()))) == [cell, "end"]


def test_a_file_of_rows_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFault, match="cannot be written"):
        RowFile(tmp_path / "nowhere" / "rows.csv")
