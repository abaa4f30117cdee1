"""What each command imports, and above all what it does not: start-up is paid at every call.

Times are printed by `benchmarks/startup.py`; here only modules are pinned, which are the same everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harpoon_cli
from tests.bench.engine.range import CHAT, served
from tests.cli.conftest import harpoon, live, platform
from tests.cli.rig import Operator
from tests.servers import always, stream

__all__ = ["harpoon", "live", "platform"]

PROBE = """
import atexit, sys
report = sys.argv.pop(1)

@atexit.register
def tell():
    with open(report, "w") as file:
        file.writelines(f"{name}\\n" for name, module in sys.modules.items() if module is not None)

from harpoon_cli.__main__ import main
main()
"""

PACKAGE = Path(harpoon_cli.__file__).parent
HEAVY = {
    "anyio",
    "asyncio",
    "httpx",
    "pydantic",
    "pydantic_settings",
    "rich",
    "tenacity",
    "typer",
}
COMPLETION = {
    "leases": {"cli.complete", "early", "errors", "settings.paths"},
    "pools": {"cli.complete", "cli.seen", "early", "errors", "settings.paths"},
    "models": {"built_in", "cli.complete", "early", "errors", "settings.paths"},
}


def loaded(operator: Operator, *arguments: str, statuses: tuple[int, ...] = (0,)) -> set[str]:
    """What a real process has loaded at the end of a command line; ours without the package's name."""
    report = operator.home / "modules"
    done = subprocess.run(
        [sys.executable, "-c", PROBE, report, *arguments],
        cwd=operator.cwd,
        env={**os.environ, **operator.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in statuses, done.stderr
    return {name.removeprefix("harpoon_cli.") for name in report.read_text().splitlines()}


def ours(modules: set[str]) -> set[str]:
    """The files of the package among them, without its folders."""
    files = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")}
    return {name for name in modules if name.replace(".", "/") in files and name != "__main__"}


def within(modules: set[str], package: str) -> Iterator[str]:
    return (name for name in sorted(modules) if f"{name}.".startswith(f"{package}."))


def test_the_version_costs_nothing_of_ours(harpoon: Operator) -> None:
    modules = loaded(harpoon, "--version")
    assert ours(modules) == {"early"}
    assert not modules & (HEAVY | {"pathlib", "re", "typing"})


@pytest.mark.parametrize("kind", COMPLETION)
def test_a_tab_loads_only_what_reads_the_values(harpoon: Operator, kind: str) -> None:
    modules = loaded(harpoon, "_complete", kind)
    assert ours(modules) == COMPLETION[kind]
    assert not modules & (HEAVY | {"dataclasses", "inspect", "tomllib", "typing"})


def test_help_loads_no_command_and_nothing_that_a_command_needs(harpoon: Operator) -> None:
    modules = loaded(harpoon, "--help")
    assert not modules & (HEAVY - {"typer"})
    assert ours(modules) == {"cli.app", "early"}


def test_help_of_a_command_loads_that_command_alone(harpoon: Operator) -> None:
    modules = loaded(harpoon, "pools", "--help")
    assert list(within(modules, "cli.commands")) == ["cli.commands", "cli.commands.pools"]
    assert not modules & {"httpx", "pydantic_settings", "rich", "tenacity"}


LIVE = [
    "pools -o json",
    "leases -o json",
    "models -o json",
    "release --all -o json",
    "allocate -m gemma-270m -q",
    "infer Hello --no-stream -o json",
]


@pytest.mark.parametrize("line", LIVE)
def test_a_live_endpoint_loads_no_sandbox_and_json_no_rich(live: Operator, line: str) -> None:
    modules = loaded(live, *line.split())
    assert list(within(modules, "sandbox")) == []
    assert list(within(modules, "rich")) == []
    assert list(within(modules, "cli.commands")) == ["cli.commands", f"cli.commands.{line.split()[0]}"]


def test_pools_loads_no_leases_no_routing_and_no_data_plane(live: Operator) -> None:
    modules = loaded(live, "pools", "-o", "json")
    unwanted = ("leases", "routing", "client.inference", "catalogue", "pricing", "sqlite3", "rich", "click")
    assert [name for part in unwanted for name in within(modules, part)] == []


def test_only_the_dialects_that_are_configured_are_loaded(live: Operator) -> None:
    modules = loaded(live, "infer", "Hello", "-o", "json")
    assert {name for name in modules if name.startswith(("client.control.", "client.inference."))} == {
        "client.control.seed_v1",
        "client.inference.seed_v1",
    }


def test_a_load_test_of_a_named_server_loads_no_leases_and_no_http_client(harpoon: Operator) -> None:
    with served(always(stream(*CHAT))) as server:
        # Figures of a busy machine may not be believed (status 12), which is all the same here.
        line = ("bench", "--endpoint", server.url, "-m", "m", "--requests", "2", "-o", "json")
        modules = loaded(harpoon, *line, statuses=(0, 12))
    unwanted = (
        "leases",
        "sandbox",
        "routing",
        "client.transport",
        "client.control",
        "httpx",
        "sqlite3",
        "rich",
    )
    assert [name for part in unwanted for name in within(modules, part)] == []
    assert list(within(modules, "bench.shapes")) == [
        "bench.shapes",
        "bench.shapes.closed",
        "bench.shapes.trace",
    ]
    assert "bench.engine.tls" not in modules, "the server of --endpoint has none"


def test_pipes_get_their_tables_without_rich(live: Operator) -> None:
    assert list(within(loaded(live, "pools"), "rich")) == []


def test_a_command_without_a_platform_loads_no_http(harpoon: Operator) -> None:
    modules = loaded(harpoon, "help", "exit-codes")
    assert not modules & {"httpx", "rich", "pydantic_settings", "tenacity"}
