"""A platform with faults and processes that can be killed, in one test and in virtual time.

The platform is played because no real one loses an answer on demand; the ledger is the real one, on a disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from harpoon_cli.client.service import Features, IncompleteList
from harpoon_cli.domain import (
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseStatus,
    Owner,
    Pool,
    PoolId,
    Price,
    Reference,
    Requirements,
)
from harpoon_cli.errors import (
    BrokenOff,
    DoubtfulAbsence,
    GarbledAnswer,
    NoCapacity,
    NoSuchLease,
    NotSent,
    RateLimited,
    Refused,
    ServerFault,
    StorageFault,
    TimedOut,
)
from harpoon_cli.leases.abandoned import abandoned
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.marks import Marks
from harpoon_cli.leases.rows import VERSIONS
from harpoon_cli.leases.storage import upgrade
from tests.leases.virtual import BEGINNING, VirtualTime

T = TypeVar("T")

ENDPOINT = "https://platform.test"
ORDER = Order(PoolId("pool"), Requirements(vram_mb=2048, tflops=5.0), ttl_s=900)
LATENCY_S = 0.05
CALL_S = 30.0
"""The total deadline of every call but an allocate's, which the caller sets."""
LATE_S = 45.0

FULL = Features(leases=True, idempotency_keys=True, ttl=True, lists=True, metadata=True)


class Fault(Enum):
    """What one call meets. MUTE, LATE and HANG end in a timeout, after an effect, before one, without one."""

    NONE = "none"
    UNREACHABLE = "not sent"
    REFUSED = "a clean refusal"
    FAILED = "a 5xx, without effect"
    BUSY = "a 429 to an allocate; a 5xx to anything else"
    LOST = "takes effect, and its answer is lost"
    MUTE = "times out, and has taken effect at once"
    LATE = "times out, and takes effect much later"
    HANG = "times out, without effect"
    SLOW = "answers after five seconds"
    INGRESS = "a proxy answers 404, without effect"
    CONFLICT = "a release is refused for now; anything else works"
    IDLE = "a release is accepted, without effect; anything else works"
    LIAR = "an allocate takes effect and is refused; anything else works"


HONEST = tuple(fault for fault in Fault if fault is not Fault.LIAR)
"""Against a platform that says no and does it, its list is the one remedy; what it does not list is lost."""


class Killed(BaseException):
    """SIGKILL: nothing of the process runs after it."""


@dataclass
class Slot:
    """A lease as the platform has it; times in virtual seconds."""

    id: LeaseId
    metadata: Mapping[str, str]
    created_s: float
    ends_s: float
    released: bool = False


@dataclass
class FakePlatform:
    """What it promises (`features`), how late a lease starts and is shown, and what it has given."""

    time: VirtualTime
    features: Features = FULL
    shown_after_s: float = 0.0
    starts_after_s: float = 1.0
    honours_keys: bool = True
    """Does it do what its features promise?"""
    spoilt_rows: int = 0
    """How many rows of its list cannot be read."""
    slots: dict[LeaseId, Slot] = field(default_factory=dict)
    keys: dict[str, LeaseId] = field(default_factory=dict)
    numbers: Iterable[int] = field(default_factory=count)

    def live(self) -> list[Slot]:
        return [one for one in self.slots.values() if not one.released and self.time.seconds() < one.ends_s]

    def give(self, metadata: Mapping[str, str], ttl_s: float) -> Slot:
        now_s = self.time.seconds()
        slot = Slot(LeaseId(f"lease-{next(iter(self.numbers))}"), metadata, now_s, now_s + ttl_s)
        self.slots[slot.id] = slot
        return slot

    def allocate(self, request: LeaseRequest) -> Lease:
        honoured = self.features.idempotency_keys and self.honours_keys
        known = self.keys.get(request.idempotency_key) if honoured else None
        slot = self.slots[known] if known else self.give(request.metadata, request.ttl_s)
        self.keys[request.idempotency_key] = slot.id
        return self._lease(slot)

    def show(self, lease_id: LeaseId) -> Lease:
        return self._lease(self._shown(lease_id))

    def list(self) -> tuple[Lease, ...]:
        listed = tuple(self._lease(one) for one in self.live() if self._is_shown(one))
        if self.spoilt_rows:
            raise IncompleteList(listed, ["spoilt"] * self.spoilt_rows)
        return listed

    def release(self, lease_id: LeaseId) -> None:
        self._shown(lease_id).released = True

    def _shown(self, lease_id: LeaseId) -> Slot:
        for slot in self.live():
            if slot.id == lease_id and self._is_shown(slot):
                return slot
        raise NoSuchLease(f"no lease {lease_id}")

    def _is_shown(self, slot: Slot) -> bool:
        return self.time.seconds() >= slot.created_s + self.shown_after_s

    def _lease(self, slot: Slot) -> Lease:
        active = self.time.seconds() >= slot.created_s + self.starts_after_s
        return Lease(
            id=slot.id,
            status=LeaseStatus.ACTIVE if active else LeaseStatus.PENDING,
            pool_id=ORDER.pool_id,
            price=Price(Decimal("0.40"), "USD"),
            created_at=self.time.now() - timedelta(seconds=self.time.seconds() - slot.created_s),
            expires_at=self.time.now() + timedelta(seconds=slot.ends_s - self.time.seconds()),
            metadata=dict(slot.metadata) if self.features.metadata else {},
        )


@dataclass
class Fate:
    """What happens to one process: at which of its steps it is killed, at which of its waits it is
    cancelled, from which of its writes on the disk is full. Counted from 1; None is never."""

    kill_at: int | None = None
    cancel_at: int | None = None
    full_from: int | None = None
    steps: int = 0
    waits: int = 0
    writes: int = 0
    dead: bool = False
    task: asyncio.Future[Any] | None = None
    cancelled_s: float | None = None

    def step(self) -> None:
        self.steps += 1
        if self.dead or self.steps == self.kill_at:
            self.dead = True
            raise Killed

    async def wait(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == self.cancel_at and self.task is not None:
            self.cancelled_s = self.task.get_loop().time()
            self.task.cancel()
        await asyncio.sleep(seconds)
        self.step()


class MarksInMemory(Marks):
    """They outlive a ledger, but not its world."""

    def __init__(self, world: World) -> None:
        self._kept = world.kept

    def put(self, reference: Reference) -> None:
        self._kept.add(reference)

    def has(self, reference: Reference) -> bool:
        return reference in self._kept

    def take_away(self, reference: Reference) -> None:
        self._kept.discard(reference)


class MortalLedger(Ledger):
    """The ledger of a process that can be killed before and after each write, and whose disk can be full."""

    def __init__(self, world: World, fate: Fate) -> None:
        self._fate, self._journal = fate, world.journal
        super().__init__(world.path)
        self._marks = MarksInMemory(world)

    def _open(self) -> sqlite3.Connection:
        return self._journal or super()._open()

    def close(self) -> None:
        if self._journal is None:
            super().close()

    def _change(self, statement: str, values: Mapping[str, str | None]) -> bool:
        self._fate.step()
        self._fate.writes += 1
        if self._fate.full_from is not None and self._fate.writes >= self._fate.full_from:
            raise StorageFault("the disk is full")
        changed = super()._change(statement, values)
        self._fate.step()
        return changed


class Connection:
    """A process's `ControlPlane`: each call meets the next of its faults; none are left: none."""

    def __init__(self, platform: FakePlatform, fate: Fate, faults: Iterable[Fault]) -> None:
        self._platform = platform
        self._fate = fate
        self._faults = deque(faults)
        self.asked: list[str] = []

    @property
    def features(self) -> Features:
        return self._platform.features

    async def pools(self) -> tuple[Pool, ...]:
        return ()

    async def health(self) -> str:
        return "ok"

    async def allocate(self, request: LeaseRequest, *, deadline_s: float) -> Lease:
        return await self._call("POST", lambda: self._platform.allocate(request), deadline_s)

    async def lease(self, lease_id: LeaseId) -> Lease:
        return await self._call("GET", lambda: self._platform.show(lease_id), CALL_S)

    async def leases(self) -> tuple[Lease, ...]:
        return await self._call("LIST", self._platform.list, CALL_S)

    async def renew(self, lease_id: LeaseId, ttl_s: int) -> Lease:
        raise NotImplementedError

    async def release(self, lease_id: LeaseId) -> None:
        idle = self._next_fault() is Fault.IDLE
        effect = (lambda: None) if idle else (lambda: self._platform.release(lease_id))
        await self._call("DELETE", effect, CALL_S)

    def _next_fault(self) -> Fault:
        return self._faults[0] if self._faults else Fault.NONE

    async def _call(self, method: str, effect: Callable[[], T], deadline_s: float) -> T:
        self._fate.step()
        fault = self._faults.popleft() if self._faults else Fault.NONE
        if fault is Fault.UNREACHABLE:
            raise NotSent("no connection")
        self.asked.append(method)
        if fault is Fault.MUTE:
            effect()
        if fault in (Fault.MUTE, Fault.LATE, Fault.HANG):
            return await self._never_answers(effect if fault is Fault.LATE else None, deadline_s)
        try:
            await self._fate.wait(5.0 if fault is Fault.SLOW else LATENCY_S / 2)
        except asyncio.CancelledError:
            if fault in (Fault.NONE, Fault.SLOW, Fault.LOST):
                self._takes_effect(effect)  # it has left: hanging up does not call it back
            raise
        if fault is Fault.REFUSED and method == "POST":
            raise NoCapacity("full")
        if fault is Fault.INGRESS:
            raise GarbledAnswer("404") if method == "POST" else DoubtfulAbsence("404")
        if fault is Fault.CONFLICT and method == "DELETE":
            raise Refused("still starting", status=409)
        if fault is Fault.BUSY and method == "POST":
            raise RateLimited("429", status=429)
        if fault in (Fault.FAILED, Fault.REFUSED, Fault.BUSY):
            raise ServerFault("503")
        answer = effect()
        self._fate.step()
        await self._fate.wait(LATENCY_S / 2)
        if fault is Fault.LIAR and method == "POST":
            raise NoCapacity("full", status=409)
        if fault is Fault.LOST:
            raise BrokenOff("the connection broke")
        return answer

    async def _never_answers(self, effect: Callable[[], object] | None, deadline_s: float) -> T:
        if effect is not None:
            self._takes_effect(effect)
        await self._fate.wait(deadline_s)
        raise TimedOut("no answer")

    def _takes_effect(self, effect: Callable[[], object]) -> None:
        """Much later, with nobody there to hear of it."""

        def much_later() -> None:
            with suppress(NoSuchLease):
                effect()

        asyncio.get_running_loop().call_later(LATE_S, much_later)


def journal_in_memory() -> sqlite3.Connection:
    """A ledger that costs no disk: what is committed outlives each of its processes, but not this one."""
    journal = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(journal, VERSIONS)
    return journal


class World:
    """One platform, one ledger (a file, or the journal given), and processes that come and go."""

    def __init__(
        self,
        time: VirtualTime,
        path: Path,
        platform: FakePlatform,
        journal: sqlite3.Connection | None = None,
    ) -> None:
        self.time, self.path, self.platform, self.journal = time, path, platform, journal
        self.alive: set[str] = set()
        self.kept: set[Reference] = set()
        self._observer = MortalLedger(self, Fate())
        for moment in (BEGINNING - timedelta(days=1), BEGINNING):  # nothing is to be looked for
            self._observer.search_done(ENDPOINT, moment)
        self._numbers = count(1)

    def process(self, fate: Fate | None = None, faults: Iterable[Fault] = ()) -> Process:
        return Process(self, f"p{next(self._numbers)}", fate or Fate(), faults)

    def records(self) -> tuple[LeaseRecord, ...]:
        """Everything in the ledger, by a connection that stays open, as another command's may."""
        return self._observer.since(BEGINNING)

    def lose_the_ledger(self) -> None:
        if self.journal is not None:
            self.journal = journal_in_memory()
        else:
            for file in self.path.parent.glob(f"{self.path.name}*"):
                file.unlink()
        self._observer = MortalLedger(self, Fate())

    def close(self) -> None:
        self._observer.close()


class Process:
    """A harpoon process: its own connection to the ledger, its own sign of life, its own fate."""

    def __init__(self, world: World, name: str, fate: Fate, faults: Iterable[Fault]) -> None:
        self.name, self.fate, self._world = name, fate, world
        self.control = Connection(world.platform, fate, faults)
        self.ledger = MortalLedger(world, fate)
        world.alive.add(name)
        tokens = count(1)
        self.lifecycle = Lifecycle(
            control=self.control,
            ledger=self.ledger,
            endpoint=ENDPOINT,
            owner=Owner("ada", "here", pid=1, home="home"),
            holder=lambda: name,
            now=world.time.now,
            clock=world.time.seconds,
            sleep=fate.wait,
            token=lambda: f"{name}.{next(tokens)}",
        )

    def overdue(self) -> tuple[LeaseRecord, ...]:
        return abandoned(self.lifecycle, self._world.alive.__contains__)

    def end(self) -> None:
        self._world.alive.discard(self.name)
        self.ledger.close()
