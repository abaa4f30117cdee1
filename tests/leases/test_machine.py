"""Any history at all: commands that run together, are killed and cancelled, on a platform that fails.

Hypothesis makes the histories and shrinks one that breaks a rule to its core; each runs in virtual time on a
real ledger. The rules hold after every step, not only at the end.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harpoon_cli.client.service import Features
from harpoon_cli.domain import LeaseState
from harpoon_cli.errors import HarpoonError
from harpoon_cli.leases.holding import holding
from harpoon_cli.leases.ledger import OPEN
from harpoon_cli.leases.lifecycle import ABSENCE_PROVES_AFTER_S
from harpoon_cli.leases.sweep import sweep
from tests.leases.virtual import virtual_time
from tests.leases.world import LATE_S, ORDER, FakePlatform, Fate, Fault, Killed, Process, Slot, World

FEATURES = st.builds(
    Features,
    leases=st.just(True),
    idempotency_keys=st.booleans(),
    ttl=st.just(True),
    lists=st.sampled_from([True, True, True, False]),
    metadata=st.sampled_from([True, True, True, False]),
)
"""Most platforms can be searched: those that cannot are the easy case, which is to say that they cannot."""

FAULTS = st.lists(st.sampled_from([Fault.NONE, Fault.NONE, *Fault]), max_size=8)
SOMETIME = st.none() | st.integers(1, 40)


@dataclass(frozen=True)
class Plan:
    """One process: what it does, when it begins, and what happens to it."""

    does: str
    begins_after_s: float
    faults: tuple[Fault, ...]
    kill_at: int | None
    cancel_at: int | None
    full_from: int | None


PLANS = st.builds(
    Plan,
    does=st.sampled_from(["infer", "infer", "allocate", "release all", "release overdue"]),
    begins_after_s=st.sampled_from([0.0, 0.03, 1.0, 5.0]),
    faults=FAULTS.map(tuple),
    kill_at=SOMETIME,
    cancel_at=SOMETIME,
    full_from=st.none() | st.none() | st.integers(1, 12),
)


class Histories(RuleBasedStateMachine):
    """A world, what is done in it, and what must be true all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = virtual_time()
        self.time = self._virtual.__enter__()
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))

    @initialize(features=FEATURES, shown_after_s=st.sampled_from([0.0, 0.0, 2.0, 40.0, 130.0]))
    def platform_is(self, features: Features, shown_after_s: float) -> None:
        self.platform = FakePlatform(self.time, features, shown_after_s)
        self.world = World(self.time, self.directory / "ledger.db", self.platform)
        self.strangers = [
            self.platform.give({"owner": "ada@here", "reference": "hpn-stranger"}, 10**9),
            self.platform.give({}, 10**9),
        ]

    @rule(plans=st.lists(PLANS, min_size=1, max_size=3))
    def together(self, plans: list[Plan]) -> None:
        """Commands at the same time, each in a process of its own."""

        async def all_of_them() -> None:
            await asyncio.gather(*map(self._process, plans))

        self.time.run(all_of_them())

    @rule(seconds=st.sampled_from([1.0, 30.0, 200.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.time.forward(seconds)

    @invariant()
    def there_is_one_lease_for_an_intent(self) -> None:
        references = [slot.metadata["reference"] for slot in self._ours()]
        assert len(references) == len(set(references))

    @invariant()
    def nothing_of_a_stranger_is_touched(self) -> None:
        assert not any(slot.released for slot in getattr(self, "strangers", ()))

    @invariant()
    def every_live_lease_is_open_in_the_ledger(self) -> None:
        if hasattr(self, "world"):
            open_now = {one.reference for one in self.world.records() if one.state in OPEN}
            assert {slot.metadata["reference"] for slot in self._ours()} <= open_now

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self._recover()
                self.world.close()
            self._virtual.__exit__(None, None, None)
        finally:
            shutil.rmtree(self.directory)

    def _recover(self) -> None:
        """Three minutes after the last trouble two sweeps leave nothing live that is not kept."""
        self.time.forward(ABSENCE_PROVES_AFTER_S + LATE_S)
        for _ in range(2):
            self._sweep()
        self.every_live_lease_is_open_in_the_ledger()
        held = [one for one in self.world.records() if one.state is LeaseState.HELD]
        if self.platform.features.lists and self.platform.features.metadata:
            kept = {one.reference for one in held if one.kept}
            assert {slot.metadata["reference"] for slot in self._ours()} <= kept

    def _sweep(self) -> None:
        process = self.world.process()
        self.time.run(sweep(process.lifecycle, process.overdue()))
        process.end()

    def _ours(self) -> list[Slot]:
        if not hasattr(self, "platform"):
            return []
        return [slot for slot in self.platform.live() if slot not in self.strangers]

    async def _process(self, plan: Plan) -> None:
        await asyncio.sleep(plan.begins_after_s)
        process = self.world.process(Fate(plan.kill_at, plan.cancel_at, plan.full_from), plan.faults)
        task = process.fate.task = asyncio.ensure_future(_command(process, plan.does))
        try:
            with suppress(Killed, asyncio.CancelledError, HarpoonError):
                await task
        finally:
            process.end()


async def _command(process: Process, does: str) -> None:
    if does in ("infer", "allocate"):
        await sweep(process.lifecycle, process.overdue(), within_s=4.0)
        intent = process.lifecycle.intend(ORDER)
        async with holding(process.lifecycle, intent, keep=does == "allocate"):
            await process.fate.wait(3.0)
    else:
        left = process.overdue() if does == "release overdue" else process.ledger.open_records()
        await sweep(process.lifecycle, left)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=200,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
