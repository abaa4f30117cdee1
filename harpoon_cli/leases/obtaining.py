"""Asking a platform for the lease of one intent, until it is given; what is not certain stays written down.

ask ──► given
 │ └──► surely refused: over, or asked again where that cannot give two
 └────► anything else: unsure ──► asked again under the same key, or looked for in the list
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from harpoon_cli.client.retry import RetryPolicy, repeat
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseState
from harpoon_cli.errors import (
    Effect,
    NotAuthorised,
    PlatformError,
    RateLimited,
    StorageFault,
    UnmarkedAnswer,
)
from harpoon_cli.leases.evidence import Evidence, Listed
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.patience import LAST_LOOK_S, Hurry, Patience
from harpoon_cli.leases.settling import Settling
from harpoon_cli.values import Struct, field, replace

SHARE_OF_SEARCH = 0.1
"""How much of the time for an allocate is left for finding out what became of one that is never answered."""

LATER_S = 1.0
"""An ask that leaves this long after its intent is dated by itself."""


class Obtaining(Struct):
    """One intent that is being asked for. See `leases.lifecycle` for its parts."""

    record: LeaseRecord
    control: ControlPlane
    ledger: Ledger
    patience: Patience
    retry: RetryPolicy
    evidence: Evidence
    settling: Settling
    now: Callable[[], datetime]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    hurry: Hurry
    refusals: list[RateLimited] = field(default_factory=list)
    ends_at: float = 0.0

    async def until_given(self) -> None:
        """Ask until it is given; `PlatformError` where it is not, `StorageFault` where it may not be."""
        self.ends_at = self.clock() + self.patience.allocate_s
        try:
            lease = await repeat(
                self._ask_once,
                policy=self.retry,
                deadline_s=self.patience.allocate_s,
                may_repeat=self._may_ask_again,
                sleep=self.sleep,
                clock=self.clock,
            )
        except PlatformError as error:
            if error.effect is not Effect.UNKNOWN and self._refused(error):
                await self._look_all_the_same(error)
                raise
            lease = await self._found(error)
        except asyncio.CancelledError:
            if self.refusals:  # between two asks; one under way has written down that it is unsure
                self._refused(self.refusals[-1])
            raise
        try:
            taken = self.settling.takes(self.record, lease)
        except StorageFault:
            # What cannot be written down must not be held.
            await self.settling.settle(replace(self.record, lease_id=lease.id))
            raise
        if not taken:
            await self.settling.end_extra(self.record, lease)

    async def _look_all_the_same(self, error: PlatformError) -> None:
        """A platform that refuses and gives a lease all the same is broken; one look in its list is cheap.

        What is found makes the record held, and is given back by whoever holds it.
        """
        if error.effect is Effect.REFUSED and not isinstance(error, NotAuthorised):
            with suppress(PlatformError, StorageFault, TimeoutError):
                async with self._in_time():
                    for lease in (await self.evidence.look(self.record, wait=False)).ours:
                        self.settling.takes(self.record, lease)

    def _refused(self, error: PlatformError) -> bool:
        """Close a record that surely has no lease; False where an earlier ask of it was unsure."""
        try:
            return self.ledger.refused(self.record.reference, error.message)
        except StorageFault:
            if self.settling.known(self.record).state is LeaseState.INTENT:
                self.settling.confirmed.add(self.record.reference)
            raise

    async def _ask_once(self, left_s: float) -> Lease:
        """The answer to one ask, or what the list shows that an earlier one, refused, gave all the same."""
        if self.refusals:
            if (lease := await self._given_all_the_same(self.refusals[-1])) is not None:
                return lease
            left_s = max(LAST_LOOK_S, self.ends_at - self.clock())
        if (self.now() - self.record.intended_at).total_seconds() >= LATER_S:
            # How old a lease can be counts from here, not from an intent that waited.
            self.ledger.asked(self.record.reference, self.now())
        try:
            return await self.control.allocate(self.record.request, deadline_s=self._for_the_ask(left_s))
        except PlatformError as error:
            if error.effect is Effect.UNKNOWN:
                self.ledger.answer_lost(self.record.reference, error.message)
            if isinstance(error, RateLimited):
                self.refusals.append(error)
            raise
        except asyncio.CancelledError:
            with suppress(StorageFault):  # the settling that follows says that it may still be billing
                self.ledger.answer_lost(
                    self.record.reference, "the allocate was cut short before its answer came"
                )
            raise

    async def _given_all_the_same(self, refusal: RateLimited) -> Lease | None:
        """None where it may be asked again: keys make one lease of two, or the list shows that there is none.

        Else `refusal`; also where the command is to stop.
        """
        if self.hurry.has_begun:
            raise refusal
        if self.control.features.idempotency_keys:
            return None
        listed = Listed()
        with suppress(PlatformError, TimeoutError):
            async with self._in_time():
                listed = await self.evidence.look(self.record, wait=False)
        if not listed.ours and (listed.unmarked or not listed.searched):
            raise refusal
        await self.settling.end_extras(self.record, listed.ours[1:])
        return listed.ours[0] if listed.ours else None

    def _in_time(self) -> asyncio.Timeout:
        """For a look: what is left of the time for the allocate."""
        return asyncio.timeout(max(LAST_LOOK_S, self.ends_at - self.clock()))

    def _for_the_ask(self, left_s: float) -> float:
        """Of the seconds left, those that an ask may take: what is never answered has to be looked for."""
        return max(left_s / 2, left_s - self.patience.allocate_s * SHARE_OF_SEARCH)

    def _may_ask_again(self, error: PlatformError) -> bool:
        keys = self.control.features.idempotency_keys
        if error.effect is not Effect.REFUSED:
            return keys or error.effect is Effect.NOT_SENT
        # Without keys a second ask needs a list, which would show what the first gave all the same.
        again = isinstance(error, RateLimited) and not self.hurry.has_begun
        return again and (keys or self.evidence.can_search)

    async def _found(self, error: PlatformError) -> Lease:
        """The lease that came of an allocate in spite of its error; that error where none is to be seen.

        A platform that does not honour its idempotency keys gives several: one is kept, the others end.
        """
        listed, lease = Listed(), None
        with suppress(PlatformError, TimeoutError):
            async with self._in_time():
                listed = await self.evidence.look(self.record)
                if not listed.ours and isinstance(error, UnmarkedAnswer) and not error.marked:
                    lease = await self.control.lease(LeaseId(error.lease_id))
        await self.settling.end_extras(self.record, listed.ours[1:])
        lease = listed.ours[0] if listed.ours else lease
        if lease is None or lease.metadata.get("reference") != self.record.reference:
            with suppress(StorageFault):  # what all attempts met says more than what the last one did
                self.ledger.unsure(self.record.reference, error.message)
            raise error
        return lease
