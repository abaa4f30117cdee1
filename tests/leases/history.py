"""A history: commands that run together, are killed and cancelled, on a platform that fails, and its rules.

Who makes the plans (Hypothesis, a seed) is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harpoon_cli.client.service import Features
from harpoon_cli.domain import LeaseState
from harpoon_cli.errors import HarpoonError
from harpoon_cli.leases.holding import holding
from harpoon_cli.leases.ledger import OPEN
from harpoon_cli.leases.patience import ABSENCE_PROVES_AFTER_S
from harpoon_cli.leases.recovery import recover
from harpoon_cli.leases.sweep import sweep
from harpoon_cli.values import replace
from tests.leases.virtual import VirtualTime
from tests.leases.world import (
    LATE_S,
    ORDER,
    FakePlatform,
    Fate,
    Fault,
    Killed,
    Process,
    Slot,
    World,
    journal_in_memory,
)

COMMANDS = ("infer", "allocate", "release all", "release overdue")


@dataclass(frozen=True)
class Plan:
    """One process: what it does, when it begins, and what happens to it."""

    does: str
    begins_after_s: float
    faults: tuple[Fault, ...]
    kill_at: int | None
    cancel_at: int | None
    full_from: int | None


class History:
    """A world, what is done in it, and what must be true all the time."""

    def __init__(self, time: VirtualTime, features: Features, shown_after_s: float) -> None:
        self.time = time
        self.platform = FakePlatform(time, features, shown_after_s)
        self.world = World(time, Path("in memory"), self.platform, journal_in_memory())
        self.strangers = [
            self.platform.give({"owner": "ada@here", "reference": "hpn-stranger"}, 10**9),
            self.platform.give({}, 10**9),
        ]

    def together(self, plans: Sequence[Plan]) -> None:
        """Commands at the same time, each in a process of its own."""

        async def all_of_them() -> None:
            await asyncio.gather(*map(self._process, plans))

        self.time.run(all_of_them())

    def ledger_is_lost(self) -> None:
        self.world.lose_the_ledger()

    def check(self) -> None:
        """One lease an intent, nothing of a stranger's touched, every live lease open in the ledger."""
        references = [slot.metadata["reference"] for slot in self._ours()]
        assert len(references) == len(set(references)), "two leases for one intent"
        assert not any(slot.released for slot in self.strangers), "a stranger's lease was ended"
        self.check_ledger()

    def check_ledger(self) -> None:
        open_now = {one.reference for one in self.world.records() if one.state in OPEN}
        assert {slot.metadata["reference"] for slot in self._ours()} <= open_now, "a live lease is not open"

    def recover(self) -> None:
        """Three minutes after the last trouble two sweeps leave nothing live that is not kept."""
        self.time.forward(ABSENCE_PROVES_AFTER_S + LATE_S)
        for _ in range(2):
            self._sweep()
        self.check_ledger()
        held = [one for one in self.world.records() if one.state is LeaseState.HELD]
        if self.platform.features.lists and self.platform.features.metadata:
            kept = {one.reference for one in held if one.kept}
            live = {slot.metadata["reference"] for slot in self._ours()}
            assert live <= kept, "a lease outlived two sweeps"

    def _sweep(self) -> None:
        process = self.world.process()
        self.time.run(_release_overdue(process))
        process.end()

    def _ours(self) -> list[Slot]:
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
        intent = process.lifecycle.intend(replace(ORDER, keep=does == "allocate"))
        async with holding(process.lifecycle, intent, keep=does == "allocate"):
            await process.fate.wait(3.0)
        if does == "allocate":
            process.ledger.keep(intent.reference)
    elif does == "release overdue":
        await _release_overdue(process)
    else:
        await sweep(process.lifecycle, process.ledger.open_records())


async def _release_overdue(process: Process) -> None:
    found = await recover(process.lifecycle)
    await sweep(process.lifecycle, (*process.overdue(), *found.stray))
