"""Thousands of whole histories a minute, each made by a seed of its own, in virtual time.

python -m tests.leases.schedules --count 10000          prints the seed it began with
python -m tests.leases.schedules --count 1 --seed 4711  runs that one history again, exactly
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from random import Random

from harpoon_cli.client.service import Features
from tests.leases.history import COMMANDS, History, Plan
from tests.leases.virtual import virtual_time
from tests.leases.world import HONEST, Fault

FAULTS = (Fault.NONE, Fault.NONE, *HONEST)


class BrokenRule(AssertionError):
    """A history broke a rule; its seed makes it again."""

    def __init__(self, seed: int, cause: AssertionError) -> None:
        super().__init__(
            f"{cause or 'a rule'}; again: python -m tests.leases.schedules --count 1 --seed {seed}"
        )


def run(seed: int) -> None:
    """One history, wholly decided by its seed: its platform, its commands, their faults and deaths."""
    random = Random(seed)
    with virtual_time() as clock:
        history = History(clock, _features(random), random.choice((0.0, 0.0, 2.0, 40.0, 130.0)))
        try:
            for _ in range(random.randint(1, 3)):
                history.together([_plan(random) for _ in range(random.randint(1, 2))])
                history.check()
                if random.random() < 0.3:
                    clock.forward(random.choice((1.0, 30.0, 200.0, 1000.0)))
            _perhaps_lose_the_ledger(random, history)
            history.recover()
        except AssertionError as cause:
            raise BrokenRule(seed, cause) from cause


def _perhaps_lose_the_ledger(random: Random, history: History) -> None:
    features = history.platform.features
    if features.lists and features.metadata and random.random() < 0.1:
        history.ledger_is_lost()


def _features(random: Random) -> Features:
    return Features(
        leases=True,
        idempotency_keys=random.random() < 0.5,
        ttl=True,
        lists=random.random() < 0.8,
        metadata=random.random() < 0.8,
    )


def _plan(random: Random) -> Plan:
    return Plan(
        does=random.choice(("infer", *COMMANDS)),
        begins_after_s=random.choice((0.0, 0.03, 1.0, 5.0)),
        faults=tuple(random.choices(FAULTS, k=random.randint(0, 8))),
        kill_at=random.randint(1, 40) if random.random() < 0.4 else None,
        cancel_at=random.randint(1, 40) if random.random() < 0.4 else None,
        full_from=random.randint(1, 12) if random.random() < 0.2 else None,
    )


def _broken_rule(seed: int) -> str | None:
    try:
        run(seed)
    except BrokenRule as rule:
        return str(rule)
    return None


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=None)
    asked = arguments.parse_args()
    seed = int(time.time() * 1000) if asked.seed is None else asked.seed
    print(f"{asked.count} histories from seed {seed}", flush=True)
    began, broken = time.monotonic(), 0
    with ProcessPoolExecutor() as processes:
        seeds = range(seed, seed + asked.count)
        for rule in filter(None, processes.map(_broken_rule, seeds, chunksize=50)):
            broken += 1
            print(rule, flush=True)
    took_s = time.monotonic() - began
    print(f"{broken} of {asked.count} broke a rule; {asked.count / took_s * 60:.0f} a minute")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
