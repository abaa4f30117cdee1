"""What the commands of `harpoon bench` give to programs; the values only."""

from __future__ import annotations

from harpoon_cli.bench.judging.compare import Comparison
from harpoon_cli.bench.judging.definitions import Definition
from harpoon_cli.bench.judging.report import LeaseTimes, Report
from harpoon_cli.domain import Money
from harpoon_cli.values import Struct


class BenchData(Struct, frozen=True):
    """What a load test gave; each is None where it was not asked for.

    report: without its recording, which only the file of --out has. comparison: with the baseline.
    allocation: of --allocation-cycles; allocation_cost: of all their leases. definitions: of --definitions.
    files: what was written.
    """

    report: Report | None = None
    comparison: Comparison | None = None
    allocation: LeaseTimes | None = None
    allocation_cost: Money | None = None
    definitions: tuple[Definition, ...] | None = None
    files: tuple[str, ...] = ()
