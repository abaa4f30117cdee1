"""Makes one call of a command fail once, in every way, and counts what ends well all the same.

    python benchmarks/faults.py [--without keys,lists,metadata,ttl] [--form FORM …] [--command NAME …] [--say]

Real processes on a real loopback server (`tests/chaos/platform.py`). A form with a + has had its effect
before it goes wrong. Exits with 1 where a lease was given twice, or a prompt may have run twice without keys.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the harness is shared with the tests

from tests.chaos.faults import REFUSALS, Fault
from tests.chaos.judge import Verdict, judge_end
from tests.chaos.place import ChaosPlatform, home
from tests.chaos.plans import CALLS_OF
from tests.chaos.scenario import COMMANDS, Scenario
from tests.chaos.tenant import Nature

FORMS = (
    *("reset", "close", "hang", "cut", "cut-head", "500", "502", "503", "504", "429", "junk"),
    *("200-html", "200-empty", "200-cut"),
)
"""What passes, and is worth another try."""

PROMISES = ("keys", "lists", "metadata", "ttl")


@dataclass(frozen=True)
class Case:
    """One fault on one call of one command."""

    command: str
    fault: Fault

    @property
    def form(self) -> str:
        return f"{self.fault.form}{'+' if self.fault.effect else ''}"


@dataclass(frozen=True)
class Came:
    """What came of it: status 0 with the whole result or not, and what there may be one too many of."""

    case: Case
    well: bool
    twice: str
    said: str
    took_s: float


def main() -> int:
    arguments = _arguments()
    nature = Nature(**{name: name not in arguments.without.split(",") for name in PROMISES})
    cases = list(_cases(arguments.command or tuple(CALLS_OF), arguments.form or FORMS))
    platform = ChaosPlatform()
    try:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            found = list(pool.map(lambda one: _tried(platform, nature, one[1], one[0]), enumerate(cases)))
    finally:
        platform.close()
    return _told(found, say=arguments.say)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--without", default="", help="what the platform lacks, with commas between")
    parser.add_argument("--form", action="append", default=[])
    parser.add_argument("--command", action="append", choices=tuple(CALLS_OF), default=[])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--say", action="store_true", help="what each that did not end well has said")
    return parser.parse_args()


def _cases(commands: Sequence[str], forms: Sequence[str]) -> Iterator[Case]:
    for command, form in product(commands, forms):
        if command != "release-all":  # it is `release`, and a look at the list
            for call, effect in product(CALLS_OF[command], (False, True)):
                if not (effect and form in REFUSALS):
                    yield Case(command, Fault(call, form, effect))


def _tried(platform: ChaosPlatform, nature: Nature, case: Case, number: int) -> Came:
    tenant = platform.tenant(nature)
    try:
        with home(tenant, nature, f"fault-{number}") as place:
            extra: list[str] = []
            if case.command == "release":
                extra = [place.run(*COMMANDS["allocate"]).out.strip()]
            tenant.arm([case.fault], None)
            began_s = monotonic()
            end = place.run(*COMMANDS[case.command], *extra)
            took_s = monotonic() - began_s
            report = tenant.report()
    finally:
        tenant.close()
    verdict = Verdict(Scenario("one fault", (case.command,), nature))
    judge_end(verdict, case.command, None, end, None, report)
    said = "; ".join(f"{kind}: {what}" for kind, what in verdict.problems) or end.err.strip()
    well = end.status == 0 and not verdict.problems
    return Came(case, well, _twice(report, nature), said, took_s)


def _twice(report: dict[str, Any], nature: Nature) -> str:
    leases = Counter(one["metadata"].get("reference") for one in report["leases"] if not one["stranger"])
    if any(count > 1 for count in leases.values()):
        return "lease"
    asked = [one for one in report["calls"] if one["call"] == "inference"]
    ran = [one for one in asked if not one.get("fault", "").startswith("429")]
    return "prompt" if len(ran) > 1 and not nature.keys else ""


def _told(found: Sequence[Came], *, say: bool) -> int:
    """Print the shares by command and call, and the forms that did not end well."""
    cells: dict[tuple[str, str], list[Came]] = defaultdict(list)
    for one in found:
        cells[one.case.command, one.case.fault.call].append(one)
        cells[one.case.command, "all"].append(one)
    for (command, call), some in sorted(cells.items()):
        well = sum(one.well for one in some)
        failed = ", ".join(one.case.form for one in some if not one.well)
        print(f"{command:<9}{call:<11}{well:>4} of {len(some):<4}{well / len(some):>5.0%}  {failed}")
    for one in found:
        if say and not one.well:
            what = f"{one.case.command} {one.case.fault.call} {one.case.form}"
            print(f"  {what} {one.took_s:.1f} s: {one.said[-300:]}")
    twice = Counter(one.twice for one in found if one.twice)
    print(f"twice: {dict(twice) or 'none'}; longest {max(one.took_s for one in found):.1f} s")
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main())
