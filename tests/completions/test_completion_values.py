"""`harpoon _complete`: the live values, from real files, however they look."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from harpoon_cli.built_in import BUILT_IN_MODELS
from tests.cli.rig import Operator

BUILT_IN = sorted(name for name, *_ in BUILT_IN_MODELS)


def offered(kind: str, cwd: Path, **environ: str) -> list[str]:
    """What a real process offers; it must say nothing else and not fail."""
    done = subprocess.run(
        [sys.executable, "-m", "harpoon_cli", "_complete", kind],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_leases_that_are_open_are_offered_and_released_ones_are_not(harpoon: Operator) -> None:
    kept = [harpoon("allocate", "-m", "gemma-2b", "-q").out.strip() for _ in range(2)]
    assert offered("leases", harpoon.cwd) == kept
    assert harpoon("release", kept[0]).status == 0
    assert offered("leases", harpoon.cwd) == kept[1:]


def test_pools_are_those_that_were_last_seen(harpoon: Operator) -> None:
    assert offered("pools", harpoon.cwd) == []
    seen = harpoon("pools", "-q").out.splitlines()
    assert offered("pools", harpoon.cwd) == seen != []


def test_models_are_the_built_in_ones_and_those_of_every_configuration_file(harpoon: Operator) -> None:
    assert offered("models", harpoon.cwd) == BUILT_IN
    harpoon.configure("[models.Mine]\nvram_mb = 100\ntflops = 1\n")
    (harpoon.cwd / "harpoon.toml").write_text("[models.ours]\nvram_mb = 100\ntflops = 1\n")
    assert offered("models", harpoon.cwd) == sorted([*BUILT_IN, "mine", "ours"])
    assert offered("models", harpoon.cwd) == sorted(harpoon("models", "-q").out.splitlines())


@pytest.mark.parametrize("name", ["config.toml", "harpoon.toml"])
def test_a_named_configuration_is_read_in_place_of_the_others(harpoon: Operator, name: str) -> None:
    harpoon.configure("[models.mine]\n")
    (harpoon.home / name).write_text("[models.named]\n")
    for named in (harpoon.home, harpoon.home / name):
        found = offered("models", harpoon.cwd, HARPOON_CONFIG=str(named))
        assert found == sorted([*BUILT_IN, "named"])


@pytest.mark.parametrize(
    "text",
    ["models = 3", "[models", "[[models]]", "models = " + "[" * 5000, "\0", "x" * 2_000_000],
    ids=["a number", "broken", "a list", "deep", "binary", "large"],
)
def test_a_configuration_that_cannot_be_read_hides_no_built_in_model(harpoon: Operator, text: str) -> None:
    harpoon.configure(text)
    assert offered("models", harpoon.cwd) == BUILT_IN


def test_a_pipe_in_place_of_a_configuration_does_not_hold_up_the_shell(harpoon: Operator) -> None:
    os.mkfifo(harpoon.cwd / "harpoon.toml")
    assert offered("models", harpoon.cwd) == BUILT_IN


def test_what_could_be_taken_for_an_option_or_is_no_printable_line_is_not_offered(harpoon: Operator) -> None:
    kept = harpoon("allocate", "-m", "gemma-2b", "-q").out.strip()
    hostile = ["--all", "-o", "~root", "two\nlines", "\x1b[2J", "bell\x07", "right\u202eleft", "", "x" * 201]
    _forge(harpoon, kept, [*hostile, "fine id"])
    assert offered("leases", harpoon.cwd) == [kept, "fine id"]


def test_a_ledger_full_of_leases_offers_a_bounded_number(harpoon: Operator) -> None:
    kept = harpoon("allocate", "-m", "gemma-2b", "-q").out.strip()
    _forge(harpoon, kept, [f"alloc-{number}" for number in range(2000)])
    assert len(offered("leases", harpoon.cwd)) == 500


def test_a_ledger_that_is_none_offers_nothing(harpoon: Operator) -> None:
    ledger = harpoon.home / ".local" / "state" / "harpoon" / "ledger.db"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("not a database")
    assert offered("leases", harpoon.cwd) == []


def test_asking_creates_no_file(harpoon: Operator) -> None:
    for kind in ("leases", "pools", "models"):
        offered(kind, harpoon.cwd)
    assert list(harpoon.home.rglob("*")) == []


def _forge(harpoon: Operator, original: str, lease_ids: list[str]) -> None:
    """Rows as a hostile platform's ids would leave them, copies of a real one."""
    path = harpoon.home / ".local" / "state" / "harpoon" / "ledger.db"
    with sqlite3.connect(path) as ledger:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(leases)")]
        row = dict(zip(columns, ledger.execute("SELECT * FROM leases").fetchone(), strict=True))
        assert row["lease_id"] == original
        for number, lease_id in enumerate(lease_ids):
            copy = row | {"reference": f"forged-{number}", "lease_id": lease_id}
            marks = ", ".join("?" * len(columns))
            ledger.execute(f"INSERT INTO leases VALUES ({marks})", list(copy.values()))
    ledger.close()
