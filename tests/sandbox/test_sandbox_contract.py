"""The running sandbox, held to its own OpenAPI document by a tester that knows nothing else of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from harpoon_cli.client.embedded import Application, Request, Response
from harpoon_cli.sandbox.contract import built_in_contract
from harpoon_cli.sandbox.pools import PoolSpecification, built_in_pools
from harpoon_cli.values import replace

from .harness import KEY, Clock, application, served

CONFIG = f"""
seed = 1
hooks = "schemathesis_checks"
headers = {{ Authorization = "Bearer {KEY}" }}

[generation]
deterministic = true
database = "none"
max-examples = 25

[[operations]]
include-operation-id = "allocate"
# No schema can say what `schemathesis_checks` says of it.
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422"]

[[operations]]
include-operation-id = "infer"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422"]
"""


@dataclass
class Recorder:
    """Passes requests on, and notes which operation gave which statuses and kinds of answer."""

    application: Application
    seen: dict[str, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))

    async def handle(self, request: Request) -> Response:
        response = await self.application.handle(request)
        route = built_in_contract().route(request.path)
        if route is not None and request.method in route.operations:
            kind = response.headers["content-type"]
            self.seen[route.operations[request.method].id].add((response.status, kind))
        return response


def test_a_foreign_tester_finds_no_answer_that_breaks_the_contract(tmp_path: Path) -> None:
    """Examples, boundary values, random data, and sequences of calls along the links: about 700 requests."""
    recorder = Recorder(application(tmp_path / "state", Clock(), pools=tuple(map(ready_at_once, POOLS))))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with served(recorder) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color"]
        run = subprocess.run(
            [*command, "--checks", "all"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert all(phase in run.stdout for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"))
    assert "8 selected / 8 total" in run.stdout
    # A tester that only ever met refusals would have been content too.
    reached = {operation: {status for status, _kind in seen} for operation, seen in recorder.seen.items()}
    assert all(200 in statuses or 201 in statuses for statuses in reached.values()), reached
    assert {(200, "application/json"), (200, "text/event-stream")} <= recorder.seen["infer"]
    assert {"409", "422"} <= set(map(str, reached["allocate"]))


POOLS = built_in_pools()


def ready_at_once(pool: PoolSpecification) -> PoolSpecification:
    return replace(pool, allocation_delay_s=0.0)
