"""A lease as a command has it: what was left open is ended before, its cost is watched, its receipt is kept.

Knows no settings and prints nothing: how to say a sentence, to warn of what costs, and to show a step are
parameters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from harpoon_cli.amounts import told, told_above
from harpoon_cli.domain import LeaseRecord, Receipt, Reference, Step
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.abandoned import IsAlive, Say, end_abandoned
from harpoon_cli.leases.ceiling import Ceiling, check_spent, check_whole, kept_to
from harpoon_cli.leases.holding import Phase, holding
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.receipts import cost_so_far, ended_besides, receipt_of, tenure_of
from harpoon_cli.leases.worktime import Worktime

LATE_END_S = 30.0
"""Clocks differ; an end this much later than asked for is still the end that was asked for."""


class Tenancy:
    """One lease taken, used and given back, and what else was ended on the way; for one use of `leased`."""

    def __init__(self, lifecycle: Lifecycle, *, is_alive: IsAlive, say: Say, warn: Say, phase: Phase) -> None:
        self._lifecycle = lifecycle
        self._is_alive = is_alive
        self._say = say
        self._warn = warn
        self._phase = phase
        self._worktime = Worktime(lifecycle.clock)
        self._began = lifecycle.now()
        self._reference: Reference | None = None
        self._held: LeaseRecord | None = None
        self._left_open: tuple[LeaseRecord, ...] = ()
        self.stays: Reference | None = None
        """The lease that outlives the block; it is kept, `Ledger.keep`, once somebody has been told of it."""

    @asynccontextmanager
    async def leased(
        self, order: Order, *, wait: bool = True, ceiling: Ceiling | None = None
    ) -> AsyncIterator[Tenancy]:
        """A lease (`record`) for the block's length, or longer where the order says so.

        It is ready unless wait=False. What earlier commands left open is ended first. With a ceiling the
        block ends, with `CostCeilingReached`, before the lease costs more; that is also raised where it cost
        more in the end. Errors are else those of `holding`.
        """
        lifecycle = self._lifecycle
        self._left_open = await end_abandoned(lifecycle, self._is_alive, self._say, self._warn)
        intent = lifecycle.intend(order)
        self._reference = intent.reference
        async with holding(lifecycle, intent, phase=self._phase, keep=order.keep, wait=False) as record:
            try:
                if wait:
                    async with kept_to(ceiling, lifecycle, record):
                        record = await self._ready(record)
                self._say_what_is_odd(record, ceiling, keep=order.keep)
                if ceiling is not None and order.keep:
                    check_whole(ceiling, record)
                self._held = record
                async with kept_to(ceiling, lifecycle, record):
                    yield self
            finally:
                self._write_down_work(record)
        self.stays = intent.reference if order.keep else None
        if ceiling is not None and (last := self._record()):
            check_spent(ceiling, cost_so_far(last, lifecycle.now()))

    @property
    def record(self) -> LeaseRecord:
        """The lease as it was when the block began."""
        assert self._held is not None, "a lease is held only within the block"
        return self._held

    @contextmanager
    def working(self) -> Iterator[None]:
        """Within the block work goes on on the lease; what is left of its time is idle. May overlap."""
        with self._worktime.going_on():
            yield

    def receipt(self, steps: Sequence[Step]) -> Receipt | None:
        """What came of it, as the ledger has it; None where no lease was ever given or ended."""
        last: LeaseRecord | None = None
        ended = self._left_open
        with suppress(StorageFault):  # it must not hide why the command ended
            last = self._record()
            ended += ended_besides(self._lifecycle, self._began)
        now = self._lifecycle.now()
        besides = {one.reference: one for one in ended if one.lease_id is not None}
        return receipt_of(
            last,
            steps,
            now,
            kept=self.stays is not None,
            ends_by_itself=self._lifecycle.control.features.ttl,
            ended=[tenure_of(one, now) for one in besides.values()],
        )

    def _record(self) -> LeaseRecord | None:
        return self._lifecycle.ledger.record(self._reference) if self._reference else None

    async def _ready(self, record: LeaseRecord) -> LeaseRecord:
        with self._phase("ready"):
            return await self._lifecycle.wait_ready(record)

    def _write_down_work(self, record: LeaseRecord) -> None:
        with suppress(StorageFault):  # first the platform, then what the receipt says
            self._lifecycle.ledger.used(record.reference, self._worktime.seconds)

    def _say_what_is_odd(self, record: LeaseRecord, ceiling: Ceiling | None, *, keep: bool) -> None:
        for sentence in (
            _about_its_end(record, self._lifecycle, keep=keep),
            _about_its_price(record, ceiling),
        ):
            if sentence:
                self._warn(sentence)


def _about_its_end(record: LeaseRecord, lifecycle: Lifecycle, *, keep: bool) -> str | None:
    """Does it end later than asked for, or not at all? A platform without ends is told of where it stays."""
    if not lifecycle.control.features.ttl:
        told = f"this platform ends no lease by itself: only harpoon ends lease {record.lease_id}"
        return told if keep else None
    if record.expires_at is None:
        return f"the platform names no end for lease {record.lease_id}: only a release ends it"
    # Subtracted, not added: no calendar holds the end of an absurd time.
    late_s = (record.expires_at - record.intended_at).total_seconds() - record.request.ttl_s
    if late_s <= LATE_END_S:
        return None
    return f"the platform ends lease {record.lease_id} {late_s:.0f} s later than it was asked to"


def _about_its_price(record: LeaseRecord, ceiling: Ceiling | None) -> str | None:
    """Is its price higher than the one by which a ceiling was checked?"""
    if ceiling is None or record.price is None or record.price.per_hour <= ceiling.quoted.per_hour:
        return None
    own = told_above(record.price.per_hour, ceiling.quoted.per_hour, record.price.currency)
    pool = told(ceiling.quoted.per_hour, ceiling.quoted.currency)
    return f"lease {record.lease_id} costs {own} an hour, more than the {pool} of its pool"
