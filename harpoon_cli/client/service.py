"""What harpoon wants of a platform, in domain words. The dialects in `control/` and `inference/` give it.

Every method raises `errors.PlatformError` and nothing else when the platform does not give a whole, good
answer; `errors.NotOffered` where the platform lacks the endpoint.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import cached_property
from typing import Protocol

from harpoon_cli.domain import (
    Completion,
    CompletionRequest,
    Delta,
    Lease,
    LeaseId,
    LeaseRequest,
    Pool,
)
from harpoon_cli.errors import Exit, GarbledAnswer
from harpoon_cli.values import Struct

ROWS_TOLD = 3
"""How many of the rows that cannot be read are named."""


class IncompleteList(GarbledAnswer):
    """A list of leases that is not whole: `leases` are those that can be read.

    What it lacks may be one of the others: it proves no absence.
    """

    code, exit = "incomplete_list", Exit.INCOMPLETE
    way_out = (
        "a row that is left out may be a lease that costs money: look at the platform's console; "
        "harpoon release ID ends one by its id"
    )

    def __init__(self, leases: Sequence[Lease], left_out: Sequence[str], trouble: str | None = None) -> None:
        """`left_out` says why, once for each row that is; `trouble` is what the whole list suffers from."""
        told = [] if trouble is None else [f"the platform's list of leases is not whole: {trouble}"]
        if left_out:
            more = f"; and {len(left_out) - ROWS_TOLD} more" if len(left_out) > ROWS_TOLD else ""
            told.append(
                f"{len(left_out)} of {len(leases) + len(left_out)} rows of the platform's list of leases "
                f"cannot be read, and are left out: {'; '.join(left_out[:ROWS_TOLD])}{more}"
            )
        super().__init__("; ".join(told))
        self.leases = tuple(leases)


class Features(Struct, frozen=True):
    """What a control plane promises; the life of a lease depends on it.

    leases: it gives leases at all (an endpoint that already exists does not);
    idempotency_keys: the same key and body twice is one lease; ttl: it ends leases by itself;
    lists: it can list our leases; metadata: that list carries the metadata we sent.
    """

    leases: bool = True
    idempotency_keys: bool = False
    ttl: bool = False
    lists: bool = False
    metadata: bool = False

    @property
    def searchable(self) -> bool:
        """Does its list tell whose a lease is?"""
        return self.lists and self.metadata


class ControlPlane(Protocol):
    """Gives and takes leases."""

    @property
    def features(self) -> Features: ...

    async def pools(self) -> tuple[Pool, ...]:
        """Every pool, all pages, as the platform orders them."""

    async def allocate(self, request: LeaseRequest, *, deadline_s: float) -> Lease:
        """Ask once for a lease. The caller decides about a repeat, by the error's `effect`."""

    async def lease(self, lease_id: LeaseId) -> Lease:
        """One lease by id; `NoSuchLease` where the platform does not know it."""

    async def leases(self) -> tuple[Lease, ...]:
        """Every lease the key can see, all pages; `IncompleteList` where that list is not whole."""

    async def renew(self, lease_id: LeaseId, ttl_s: int) -> Lease:
        """Move the end of a lease to ttl_s seconds from now."""

    async def release(self, lease_id: LeaseId) -> None:
        """Ask for the end of a lease. Returning means accepted, not gone; `NoSuchLease` where unknown."""

    async def health(self) -> str:
        """The platform's own word for its state, e.g. "ok"."""


class DataPlane(Protocol):
    """Answers prompts."""

    async def complete(self, request: CompletionRequest) -> Completion:
        """The whole answer at once."""

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        """The answer piece by piece; the last item is the whole `Completion`.

        A stream that ends without it has failed, and raises `BrokenOff` instead. Whoever may stop reading
        before its end closes it, or its connection stays.
        """

    async def models(self) -> tuple[str, ...]:
        """The names the server serves; `NotOffered` where it cannot say."""


class Platform:
    """One configured platform: where it is, and its two planes, each loaded when it is first used."""

    def __init__(
        self,
        endpoint: str,
        open_control: Callable[[], ControlPlane],
        open_inference: Callable[[], DataPlane],
        closings: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self.endpoint = endpoint
        self._open_control = open_control
        self._open_inference = open_inference
        self._closings = closings

    @cached_property
    def control(self) -> ControlPlane:
        return self._open_control()

    @cached_property
    def inference(self) -> DataPlane:
        return self._open_inference()

    async def close(self) -> None:
        for closing in self._closings:
            await closing()
