"""Kills whole command lines thousands of times, and counts what leaks. Exits with 1 where anything does.

    python benchmarks/kills.py [--kills N] [--seed S] [--jobs J] [--family NAME …] [--only NUMBER]
    python benchmarks/kills.py --single-faults         every fault once on every call
    python benchmarks/kills.py --system-calls 5        SIGKILL before every system call that changes anything
                                                       outside, TERM and INT at every 5th (needs strace)

Real processes, real signals, a real loopback server (`tests/chaos/platform.py`). The same seed and number
give the same scenario again; `--only` plays one and prints all that was said.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))  # the harness is shared with the tests

from tests.chaos.judge import Verdict
from tests.chaos.place import ChaosPlatform, home
from tests.chaos.plans import FAMILIES, drawn, single_faults, system_calls
from tests.chaos.player import play
from tests.chaos.scenario import COMMANDS, Scenario
from tests.chaos.tenant import Nature

AT_SYSTEM_CALLS = (("infer", "TERM"), ("allocate", "INT"))
AT_EFFECTS = ("infer", "stream", "allocate")

EFFECTS = (
    "write",
    "pwrite",
    "send",
    "connect",
    "ftruncate",
    "mkdir",
    "rename",
    "unlink",
    "link",
    "clone",
    "fork",
    "vfork",
)
"""How calls begin whose effect others can see. A SIGKILL between two of them leaves the world as one before
the second does: what only this process knew, held open or had locked is gone with it."""


def main() -> int:
    arguments = _arguments()
    platform = ChaosPlatform()
    try:
        first, last = (arguments.only, arguments.only + 1) if arguments.only is not None else (0, None)
        scenarios = islice(enumerate(_scenarios(platform, arguments)), first, last)
        began_s = monotonic()
        verdicts = _played(platform, scenarios, arguments)
        return _told(verdicts, arguments.seed, monotonic() - began_s)
    finally:
        platform.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--family", action="append", choices=tuple(FAMILIES), default=[])
    parser.add_argument("--only", type=int)
    parser.add_argument("--recovery", choices=("overdue", "next", "keeper"))
    parser.add_argument("--single-faults", action="store_true")
    parser.add_argument("--system-calls", type=int, metavar="STEP")
    return parser.parse_args()


def _scenarios(platform: ChaosPlatform, arguments: argparse.Namespace) -> Iterator[Scenario]:
    for scenario in _unchanged(platform, arguments):
        recovery = arguments.recovery or scenario.recovery
        yield replace(scenario, recovery=recovery)


def _unchanged(platform: ChaosPlatform, arguments: argparse.Namespace) -> Iterator[Scenario]:
    if arguments.single_faults:
        yield from single_faults()
    elif arguments.system_calls:
        for command in AT_EFFECTS:
            yield from system_calls(command, "KILL", _system_calls_of(platform, command, effects=True))
        for command, signal in AT_SYSTEM_CALLS:
            calls = _system_calls_of(platform, command)
            yield from system_calls(command, signal, calls[:: arguments.system_calls])
    else:
        families = tuple(arguments.family)
        yield from (drawn(arguments.seed, number, families) for number in range(arguments.kills))


def _system_calls_of(platform: ChaosPlatform, command: str, *, effects: bool = False) -> list[str]:
    """Every system call from the first that touches our state, as "name number"; strace counts by name.

    With effects only those that others can see the effect of.
    """
    if shutil.which("strace") is None:
        sys.exit("strace is not installed")
    tenant = platform.tenant(Nature())
    with tempfile.NamedTemporaryFile() as trace, home(tenant, Nature(), "system-calls") as place:
        place.start(COMMANDS[command], before=["strace", "-qq", "-o", trace.name]).ended()
        lines = Path(trace.name).read_text(errors="replace").splitlines()
    tenant.close()
    counts: Counter[str] = Counter()
    found: list[str] = []
    ours = False
    for line in lines:
        name = line.partition("(")[0]
        counts[name] += 1
        ours = ours or "/state/harpoon" in line
        if ours and name.isidentifier() and name != "exit_group" and (not effects or _has_effect(name, line)):
            found.append(f"{name} {counts[name]}")
    return found


def _has_effect(name: str, line: str) -> bool:
    return name.startswith(EFFECTS) or "O_CREAT" in line


def _played(
    platform: ChaosPlatform, scenarios: Iterable[tuple[int, Scenario]], arguments: argparse.Namespace
) -> list[Verdict]:
    def one(numbered: tuple[int, Scenario]) -> Verdict:
        number, scenario = numbered
        verdict = play(platform, scenario, f"chaos-{arguments.seed}-{number}")
        if verdict.problems or arguments.only is not None:
            _say(number, verdict)
        return verdict

    with ThreadPoolExecutor(arguments.jobs) as pool:
        return list(pool.map(one, scenarios))


def _say(number: int, verdict: Verdict) -> None:
    lines = [f"#{number} {_short(verdict.scenario)}"]
    lines += [f"    {kind}: {what}" for kind, what in verdict.problems]
    lines += [f"    | {line}" for line in verdict.log]
    print("\n".join(lines), flush=True)


def _short(value: object) -> str:
    """A scenario, or a part of one, with what is unlike the default."""
    if isinstance(value, tuple):
        return f"({', '.join(_short(one) for one in value)})"
    if not is_dataclass(value):
        return repr(value)
    said = [(one.name, getattr(value, one.name), one.default) for one in fields(value)]
    return f"{type(value).__name__}({', '.join(f'{n}={_short(v)}' for n, v, d in said if v != d)})"


def _told(verdicts: Sequence[Verdict], seed: int, took_s: float) -> int:
    """Print the table; 1 where anything was wrong."""
    print(f"\n{'family':<16}{'played':>8}{'live at its end':>18}{'told (9)':>10}{'wrong':>7}")
    for name in dict.fromkeys(one.scenario.name.rstrip(" 0123456789") for one in verdicts):
        some = [one for one in verdicts if one.scenario.name.startswith(name)]
        live, told = sum(one.live_at_end > 0 for one in some), sum(one.told for one in some)
        print(f"{name:<16}{len(some):>8}{live:>18}{told:>10}{sum(bool(one.problems) for one in some):>7}")
    problems = Counter(kind for one in verdicts for kind, _ in one.problems)
    print(f"\nproblems: {dict(problems) or 'none'}")
    print(f"statuses: {dict(Counter(status for one in verdicts for status in one.statuses))}")
    print(f"recovery: {dict(Counter(tuple(one.recoveries) for one in verdicts))}")
    print(f"cut short before Python came to our first line: {sum(one.cut_starts for one in verdicts)}")
    exits_s = sorted(took for one in verdicts for took in one.exits_s)
    if exits_s:
        print(f"exit after a signal: median {exits_s[len(exits_s) // 2]:.2f} s, longest {exits_s[-1]:.2f} s")
    print(f"seed {seed}, {took_s:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
