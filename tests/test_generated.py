"""What is made from the code is committed, up to date, and true of what the commands print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from harpoon_cli.cli.tree import tree
from tests.cli.conftest import harpoon, live, platform
from tests.cli.rig import Operator
from tests.cli.test_route import outcomes

__all__ = ["harpoon", "live", "platform"]

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "harpoon_cli" / "schemas"
COMMANDS = [node.name for node in tree().walk() if node.is_run]

DONE = [
    "allocate -m gemma-270m --dry-run",
    "allocate -m gemma-270m --max-cost 5",
    "bench --definitions",
    "completion install --shell fish",
    "completion show bash",
    "config init",
    "config path",
    "config set lease.ttl_s 30m",
    "config show --origin",
    "config validate",
    "doctor",
    "help exit-codes",
    "infer Hello --explain",
    "infer Hello --no-stream",
    "infer Hello --keep",
    "leases",
    "leases --cost --since 7d",
    "models",
    "pools",
    "pools --fits gemma-270m",
    "release --all",
    "route calibrate mine.jsonl",
    "route record Hello --small up --large up",
    "route-explain Hello",
    "sandbox reset --force",
    "sandbox status",
    "sandbox stop",
]
FAILED = {
    "allocate": 2,
    "allocate -m bogus": 5,
    "allocate --vram 900GB": 6,
    "allocate -m gemma-270m --max-cost 0.0001": 10,
    "bench": 2,
    "bench -m bogus": 5,
    "bench compare old.json new.json": 2,
    "bench merge gone.json": 2,
    "bogus": 2,
    "completion show tcsh": 2,
    "config": 2,
    "config set bogus 1": 2,
    "doctor --live": 3,
    "infer": 2,
    "infer Hello --lease gone": 5,
    "pools --fits bogus": 5,
    "release": 2,
    "release gone": 5,
    "route calibrate": 2,
    "route record Hello": 2,
    "route-explain Hello -m bogus": 5,
    "sandbox pull --model-file missing": 3,
}
LIVE = ["allocate -m gemma-270m", "doctor", "infer Hello", "leases", "models", "pools", "release --all"]


def test_everything_generated_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / ".ci" / "generate", "--check"], capture_output=True, text=True, timeout=120
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.stem)
def test_every_schema_is_one(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_every_command_and_group_has_a_schema_under_its_name() -> None:
    names = {(node.name or "harpoon").replace(" ", "-") for node in tree().walk()}
    assert names == {path.stem for path in SCHEMAS.iterdir()}


def test_every_command_but_those_that_fetch_wait_or_read_results_has_a_line_here() -> None:
    shown = {name for name in COMMANDS if any(f"{line} ".startswith(f"{name} ") for line in DONE)}
    assert set(COMMANDS) - shown == {"bench compare", "bench merge", "sandbox pull", "sandbox serve"}


@pytest.mark.parametrize("line", DONE)
def test_an_outcome_is_what_its_schema_says(harpoon: Operator, line: str) -> None:
    harpoon("allocate", "-m", "gemma-270m")
    outcomes(harpoon.cwd / "mine.jsonl")
    ran = harpoon(*line.split(), "-o", "json")
    assert ran.status == 0
    assert_valid(ran.out)


@pytest.mark.parametrize(("line", "status"), FAILED.items())
def test_a_failure_is_what_its_schema_says(harpoon: Operator, line: str, status: int) -> None:
    ran = harpoon(*line.split(), "-o", "json")
    assert ran.status == status
    assert_valid(ran.out)


@pytest.mark.parametrize("line", LIVE)
def test_an_outcome_of_a_real_server_is_what_its_schema_says(live: Operator, line: str) -> None:
    live("allocate", "-m", "gemma-270m")
    assert_valid(live(*line.split(), "-o", "json").out)


def assert_valid(text: str) -> None:
    document = json.loads(text)
    name = document["command"].replace(" ", "-")
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator(schema).validate(document)
