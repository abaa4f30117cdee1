"""The default control plane: POST, GET and DELETE on /v1/allocate, GET /v1/pools.

Writes exactly the contract's names (or those configured instead) and reads tolerantly. One `allocate` is one
request: whether it may be repeated is for `leases.lifecycle` to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps
from time import monotonic
from typing import Generic, TypeVar
from urllib.parse import quote

from harpoon_cli.client.control import ControlOptions
from harpoon_cli.client.refusals import CAPACITY_CODES, error_beside
from harpoon_cli.client.retry import repeat
from harpoon_cli.client.service import Features, IncompleteList
from harpoon_cli.client.transport import Transport
from harpoon_cli.client.wire import BODY_CAP_BYTES, Fields
from harpoon_cli.domain import Gpu, Lease, LeaseId, LeaseRequest, LeaseStatus, Pool, PoolId, Price
from harpoon_cli.errors import (
    DoubtfulAbsence,
    GarbledAnswer,
    NoCapacity,
    NoSuchLease,
    NotOffered,
    PlatformError,
    Refused,
    TimedOut,
    UnknownPool,
    UnmarkedAnswer,
)
from harpoon_cli.values import Struct, field

T = TypeVar("T")

PATHS = {"allocate": "/v1/allocate", "pools": "/v1/pools", "health": "/health"}

POOLS_CAP, LEASES_CAP = 5_000, 10_000
"""How many rows of all pages are read: more would fill the memory, and a list of pages may have no end."""

PAGES_CAP_CHARACTERS = BODY_CAP_BYTES
"""How long all pages together may be that another one follows: a list is no longer for coming in pieces."""

_WORDS = {
    LeaseStatus.PENDING: "pending creating provisioning subscribing queued starting",
    LeaseStatus.ACTIVE: "active ready running allocated subscribed",
    LeaseStatus.RELEASING: "releasing un_subscribing terminating deleting",
    LeaseStatus.GONE: "released expired gone terminated deleted ended un_subscribed unsubscribed",
    LeaseStatus.FAILED: "failed error",
}
STATUS_WORDS = {word: status for status, words in _WORDS.items() for word in words.split()}


class _Listed(Struct, Generic[T]):
    """The rows of all pages of a list, why others cannot be read, and what else keeps it from being whole."""

    rows: list[T] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    trouble: str | None = None
    characters: int = 0

    @property
    def length(self) -> int:
        return len(self.rows) + len(self.faults)


def create(transport: Transport, options: ControlOptions) -> SeedControl:
    return SeedControl(transport, options)


class SeedControl:
    """See `client.service.ControlPlane`."""

    def __init__(self, transport: Transport, options: ControlOptions) -> None:
        self._transport = transport
        self._options = options
        self._paths = PATHS | dict(options.paths)

    @property
    def features(self) -> Features:
        return self._options.features

    async def pools(self) -> tuple[Pool, ...]:
        listed = await self._all_pages("pools", "pools", self._pool, POOLS_CAP)
        if trouble := listed.trouble or next(iter(listed.faults), None):
            raise GarbledAnswer(f"the platform's list of pools is not whole: {trouble}")
        return tuple(listed.rows)

    async def allocate(self, request: LeaseRequest, *, deadline_s: float) -> Lease:
        headers = {"Idempotency-Key": request.idempotency_key} if self.features.idempotency_keys else None
        try:
            answer = await self._transport.call(
                "POST",
                self._paths["allocate"],
                body=self._body(request),
                headers=headers,
                deadline_s=deadline_s,
            )
        except PlatformError as error:
            raise _allocate_error(error, request.pool_id) from error
        lease = self._lease(self._fields(answer, "the answer to the allocate"))
        self._must_be_ours(lease, request)
        return lease

    def _must_be_ours(self, lease: Lease, request: LeaseRequest) -> None:
        """A reused connection, or a proxy, can hand out the answer to somebody else's request."""
        carried = lease.metadata.get("reference")
        if carried == request.reference or (carried is None and not self.features.metadata):
            return
        raise UnmarkedAnswer(
            f"the answer to the allocate names lease {lease.id} and does not carry our reference "
            f"{request.reference}; it may be the answer to another request",
            hint="a platform that never sends metadata back needs platform.metadata = false",
            lease_id=lease.id,
            marked=carried is not None,
        )

    async def lease(self, lease_id: LeaseId) -> Lease:
        try:
            answer = await self._repeatedly("GET", self._one(lease_id))
        except Refused as refusal:
            raise _no_such_lease(refusal, lease_id) from refusal
        return self._that_one(answer, lease_id)

    def _that_one(self, answer: object, lease_id: LeaseId) -> Lease:
        """The answer to another request, taken for this one, could show a lease of ours as gone."""
        lease = self._lease(self._fields(answer, f"lease {lease_id}"))
        if lease.id != lease_id:
            raise GarbledAnswer(f"asked for lease {lease_id}, the platform answered with lease {lease.id}")
        return lease

    async def leases(self) -> tuple[Lease, ...]:
        listed = await self._all_pages("leases", "allocations", self._lease, LEASES_CAP)
        if listed.faults or listed.trouble:
            raise IncompleteList(listed.rows, listed.faults, listed.trouble)
        return tuple(listed.rows)

    async def _all_pages(self, what: str, name: str, read: Callable[[Fields], T], cap: int) -> _Listed[T]:
        """The list of pools or of leases, with its rows below `name`; of more than `cap` rows the first."""
        ends_at = monotonic() + self._options.deadline_s
        listed = _Listed[T]()
        seen: set[str] = set()
        cursor: str | None = None
        while True:
            try:
                answer = await self._page(what, cursor, ends_at - monotonic())
            except PlatformError as error:
                if not listed.rows:
                    raise
                # What has been read costs money all the same.
                listed.trouble = f"its page {len(seen) + 1} cannot be had: {error.message}"
                return listed
            page = self._fields(answer, f"the list of {what}")
            # One row that is spoilt must not hide the others: they cost money too.
            rows, faults = page.readable((name,), read, cap + 1 - listed.length)
            listed.rows += rows
            listed.faults += faults
            listed.trouble = listed.trouble or error_beside(answer, self._transport.redacted)
            try:
                cursor = page.optional_identifier("next_cursor")
            except GarbledAnswer as error:
                listed.trouble = error.message
                return listed
            if listed.length > cap:
                listed.trouble = f"it has more than {cap} rows, and the others are left out"
                return listed
            if cursor is None:
                return listed
            listed.characters += len(dumps(answer, ensure_ascii=False))
            if listed.characters > PAGES_CAP_CHARACTERS:
                listed.trouble = f"it is too long, and all after {listed.length} rows is left out"
                return listed
            if cursor in seen:
                listed.trouble = "it does not end: its cursors repeat"
                return listed
            seen.add(cursor)

    async def _page(self, what: str, cursor: str | None, left_s: float) -> object:
        path = self._paths["pools" if what == "pools" else "allocate"]
        query = None if cursor is None else {"cursor": cursor}
        if left_s <= 0.0:
            raise self._without_end(what)
        try:
            return await self._repeatedly("GET", path, query=query, deadline_s=left_s)
        except TimedOut as late:
            if cursor is None or late.status is not None:
                raise
            raise self._without_end(what) from late
        except Refused as refusal:
            raise _not_offered(refusal, f"a list of {what}") from refusal

    def _without_end(self, what: str) -> TimedOut:
        limit, allowed_s = self._options.retry.limit, self._options.deadline_s
        return TimedOut(
            f"the list of {what} did not end within the {allowed_s:.3g} s that {limit} allows",
            hint=f"{limit} allows longer; harpoon doctor tells how the platform is",
        )

    async def renew(self, lease_id: LeaseId, ttl_s: int) -> Lease:
        body = self._named({"duration_seconds": ttl_s})
        try:
            answer = await self._repeatedly("PATCH", self._one(lease_id), body=body)
        except Refused as refusal:
            raise _no_such_lease(refusal, lease_id) from refusal
        return self._that_one(answer, lease_id)

    async def release(self, lease_id: LeaseId) -> None:
        try:
            await self._repeatedly("DELETE", self._one(lease_id), may_be_empty=True)
        except Refused as refusal:
            raise _no_such_lease(refusal, lease_id) from refusal

    async def health(self) -> str:
        try:
            answer = await self._repeatedly("GET", self._paths["health"], may_be_empty=True)
        except Refused as refusal:
            raise _not_offered(refusal, "a health check") from refusal
        return self._fields({} if answer is None else answer, "the health check").text("status") or "answers"

    async def _repeatedly(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object | None = None,
        deadline_s: float | None = None,
        may_be_empty: bool = False,
    ) -> object:
        return await repeat(
            lambda left_s: self._transport.call(
                method, path, query=query, body=body, deadline_s=left_s, may_be_empty=may_be_empty
            ),
            policy=self._options.retry,
            deadline_s=self._options.deadline_s if deadline_s is None else deadline_s,
        )

    def _one(self, lease_id: LeaseId) -> str:
        if not lease_id.strip("."):
            # As a step of a path it would mean another one: DELETE /v1/allocate/.. is DELETE /v1.
            raise NoSuchLease(f"{lease_id!r} cannot be a lease's id", hint="harpoon leases")
        return f"{self._paths['allocate']}/{quote(lease_id, safe='')}"

    def _fields(self, answer: object, what: str) -> Fields:
        transport = self._transport
        return Fields(answer, what, self._options.names, transport.redacted, transport.holds_key)

    def _named(self, body: dict[str, object]) -> dict[str, object]:
        names = self._options.names
        return {names.get(name, name): value for name, value in body.items()}

    def _body(self, request: LeaseRequest) -> dict[str, object]:
        wanted = request.requirements
        size: dict[str, object] = {"vram_mb": wanted.vram_mb, "tflops": wanted.tflops}
        named: dict[str, object] = {"model": wanted.model} if wanted.model else {}
        return self._named(
            {
                "pool_id": request.pool_id,
                "requirements": self._named(named | size),
                "duration_seconds": request.ttl_s,
                "metadata": dict(request.metadata),
            }
        )

    def _lease(self, row: Fields) -> Lease:
        """Only id and status must be right: a lease with a garbled price or time can still be released."""
        pool_id = _or_none(lambda: row.optional_identifier("pool_id"))
        return Lease(
            id=LeaseId(row.identifier("allocation_id", "id")),
            status=_status(row.text("status")),
            pool_id=None if pool_id is None else PoolId(pool_id),
            gpu=_or_none(lambda: _gpu(row.child("gpu"))),
            price=_or_none(lambda: self._price(row)),
            created_at=_or_none(lambda: row.when("created_at")),
            expires_at=_or_none(lambda: row.when("expires_at")),
            metadata=_or_none(lambda: row.strings("metadata")) or {},
        )

    def _price(self, row: Fields) -> Price | None:
        per_hour = row.decimal("price_per_hour", "pricing_hourly")
        return None if per_hour is None else Price(per_hour, row.text("currency") or self._options.currency)

    def _pool(self, row: Fields) -> Pool:
        pool_id = PoolId(row.identifier("id", "pool_id"))
        return Pool(
            id=pool_id,
            name=row.text("name", "pool_label", "pool_name") or pool_id,
            gpu_model=row.text("gpu_model", "gpu_model_type") or "unknown",
            total_slices=row.whole("total_vgpus"),
            free_slices=row.whole("available_vgpus"),
            price=self._price(row),
            region=row.text("region"),
            status=row.text("status"),
            gpu_vram_mb=row.whole("gpu_vram_mb"),
            gpu_tflops=row.number("gpu_tflops"),
            vram_total_mb=row.whole("vram_total_mb"),
            vram_free_mb=row.whole("vram_free_mb"),
            tflops_total=row.number("tflops_total"),
            tflops_free=row.number("tflops_free"),
            sharing_ratio=row.whole("sharing_ratio"),
            allocated_percent=row.number("allocated_percent"),
            actual_percent=row.number("actual_percent"),
        )


def _or_none(read: Callable[[], T | None]) -> T | None:
    try:
        return read()
    except GarbledAnswer:
        return None


def _gpu(row: Fields | None) -> Gpu | None:
    if row is None:
        return None
    return Gpu(row.text("model") or "unknown", row.whole("vram_mb"), row.number("tflops"))


def _status(word: str | None) -> LeaseStatus:
    """No status at all is a lease that can be used; a word we do not know is one to wait for."""
    if word is None:
        return LeaseStatus.ACTIVE
    return STATUS_WORDS.get(re.sub(r"[\s-]+", "_", word.strip().lower()), LeaseStatus.PENDING)


def _not_offered(refusal: Refused, what: str) -> Refused:
    if refusal.status not in (404, 405, 501):
        return refusal
    if refusal.status == 404 and not refusal.worded:
        # Taken for a platform that has no list, a proxy's page would hide what is there.
        return DoubtfulAbsence(
            f"a 404 came when asked for {what}, but not in the platform's words: it may be something else",
            hint="check platform.base_url and platform.paths; harpoon doctor",
            status=refusal.status,
        )
    return NotOffered(f"this platform does not offer {what}", status=refusal.status)


def _no_such_lease(refusal: Refused, lease_id: LeaseId) -> Refused:
    if refusal.status in (405, 501):
        return NotOffered("this platform does not offer this for a single lease", status=refusal.status)
    if refusal.status not in (404, 410):
        return refusal
    if not refusal.worded:
        return DoubtfulAbsence(
            f"a {refusal.status} came for lease {lease_id}, but not in the platform's words: "
            "what answers there may be something else",
            hint="harpoon doctor; check platform.base_url",
            status=refusal.status,
        )
    return NoSuchLease(
        f"the platform knows no lease {lease_id}", hint="harpoon leases", status=refusal.status
    )


def _allocate_error(error: PlatformError, pool_id: PoolId) -> PlatformError:
    """What the platform's code says goes before its status: "full" comes as a 4xx, a 5xx and inside a 200."""
    if error.platform_code in CAPACITY_CODES:
        return NoCapacity(
            error.message,
            hint="harpoon pools shows what is free",
            status=error.status,
            platform_code=error.platform_code,
            retry_after_s=error.retry_after_s,
        )
    if type(error) is Refused and not error.worded:
        # Not the platform's words: a proxy may have lost an answer that gave us a lease.
        return GarbledAnswer(
            error.message, hint="harpoon doctor; check platform.base_url", status=error.status
        )
    if isinstance(error, Refused) and error.status == 404:
        return UnknownPool(
            f"the platform knows no pool {pool_id}",
            hint="harpoon pools; where it knows none at all, platform.base_url or platform.paths is wrong",
            status=404,
            platform_code=error.platform_code,
        )
    return error
