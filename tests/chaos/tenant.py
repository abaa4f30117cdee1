"""One tenant of the chaotic platform: its leases, its promises, what goes wrong there. Opens no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import time

from tests.chaos.faults import Fault, Trap
from tests.chaos.wire import Answer, Asked, chunk, error_answer, good

TEXT = "The sky is blue because air scatters short waves most. "
NO_LEASE = "allocation_not_found"
HELD_S = 60.0
"""The longest that a trap or a hang keeps anybody; no test comes near it."""


@dataclass(frozen=True)
class Nature:
    """What the platform promises and how late it is, in seconds.

    hidden_s: how long a new lease answers 404 to a read or release by id. metadata: it is echoed and listed.
    """

    keys: bool = True
    lists: bool = True
    metadata: bool = True
    ttl: bool = True
    list_lag_s: float = 0.0
    hidden_s: float = 0.0
    starts_after_s: float = 0.0
    releases_in_s: float = 0.0
    page: int = 50


@dataclass
class Lease:
    """A lease as the platform has it; times in epoch seconds, None for what has not been."""

    id: str
    key: str | None
    metadata: Mapping[str, str]
    created_at: float
    ends_at: float | None
    stranger: bool = False
    released_at: float | None = None

    def live(self, now: float) -> bool:
        return (self.released_at is None or now < self.released_at) and (
            self.ends_at is None or now < self.ends_at
        )


@dataclass
class Tenant:
    """The leases of one tenant, and what goes wrong with its calls. `tell` sends a line to the harness."""

    nature: Nature
    tell: Callable[[object], None]
    faults: list[Fault] = field(default_factory=list)
    trap: Trap | None = None
    leases: dict[str, Lease] = field(default_factory=dict)
    kept_answers: dict[str, object] = field(default_factory=dict)
    calls: list[dict[str, object]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    healed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for number, owner in enumerate(("another@elsewhere", None)):
            metadata = {"owner": owner, "client": "harpoon", "reference": "hpn-theirs"} if owner else {}
            lease = Lease(f"stranger-{number}", None, metadata, time() - 60.0, time() + 7200.0, stranger=True)
            self.leases[lease.id] = lease

    # What it does

    def act(self, asked: Asked) -> Answer:
        """Have the effect of a request; the good answer."""
        acts: dict[str, Callable[[Asked], Answer]] = {
            "pools": self._pools,
            "allocate": self._allocate,
            "look": self._look,
            "list": self._list,
            "inference": self._inference,
            "release": self._release,
        }
        act = acts.get(asked.call)
        return act(asked) if act else Answer([error_answer(404, "no_such_path")])

    def _pools(self, _asked: Asked) -> Answer:
        pool = {"id": "pool", "name": "A pool", "gpu_model": "Card", "total_vgpus": 500}
        more = {"available_vgpus": 400, "price_per_hour": "0.39", "currency": "USD"}
        return good(200, {"pools": [pool | more | {"gpu_vram_mb": 48000, "gpu_tflops": 300}]})

    def _allocate(self, asked: Asked) -> Answer:
        wanted = json.loads(asked.body)
        key = asked.headers.get("idempotency-key") if self.nature.keys else None
        if key in self.kept_answers:
            return good(200, self.kept_answers[key])
        ends_at = time() + wanted["duration_seconds"] if self.nature.ttl else None
        lease = Lease(f"lease-{len(self.leases)}", key, dict(wanted["metadata"]), time(), ends_at)
        self.leases[lease.id] = lease
        document = self.document(lease)
        if key is not None:
            self.kept_answers[key] = document
        return good(201, document)

    def _shown(self, asked: Asked) -> Lease | None:
        lease = self.leases.get(asked.lease_id)
        if lease is None or not lease.live(time()) or time() < lease.created_at + self.nature.hidden_s:
            return None
        return lease

    def _look(self, asked: Asked) -> Answer:
        lease = self._shown(asked)
        return good(200, self.document(lease)) if lease else Answer([error_answer(404, NO_LEASE)])

    def _release(self, asked: Asked) -> Answer:
        lease = self._shown(asked)
        if lease is None:
            return Answer([error_answer(404, NO_LEASE)])
        if lease.released_at is None:
            lease.released_at = time() + self.nature.releases_in_s
        return good(200, self.document(lease) | {"status": "released"})

    def _list(self, asked: Asked) -> Answer:
        if not self.nature.lists:
            return Answer([error_answer(405, "method_not_allowed")])
        now, start = time(), int(asked.query.partition("cursor=")[2] or 0)
        shown = [
            one
            for one in self.leases.values()
            if one.live(now) and now >= one.created_at + self.nature.list_lag_s
        ]
        end = start + self.nature.page
        rows = [self.document(one) for one in shown[start:end]]
        return good(200, {"allocations": rows, "next_cursor": str(end) if len(shown) > end else None})

    def _inference(self, asked: Asked) -> Answer:
        wanted = json.loads(asked.body)
        lease = self.leases.get(str(wanted.get("allocation_id")))
        if lease is None or not lease.live(time()):
            return Answer([error_answer(404, NO_LEASE)])
        if not wanted["stream"]:
            return good(200, {"text": TEXT * 2, "finish_reason": "stop"})
        deltas: list[dict[str, object]] = [{"choices": [{"delta": {"content": TEXT}}]} for _ in range(2)]
        deltas.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        events = [b"data: %s\n\n" % json.dumps(one).encode() for one in deltas] + [b"data: [DONE]\n\n"]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        return Answer([head + chunk(events[0]), *map(chunk, events[1:]), chunk(b"")])

    def document(self, lease: Lease) -> dict[str, object]:
        ready = time() >= lease.created_at + self.nature.starts_after_s
        status = "releasing" if lease.released_at is not None else "active" if ready else "pending"
        document: dict[str, object] = {
            "allocation_id": lease.id,
            "status": status,
            "pool_id": "pool",
            "gpu": {"model": "Card", "vram_mb": 2048, "tflops": 5},
            "price_per_hour": "0.39",
            "currency": "USD",
            "created_at": _iso(lease.created_at),
        }
        if lease.ends_at is not None:
            document["expires_at"] = _iso(lease.ends_at)
        if self.nature.metadata:
            document["metadata"] = dict(lease.metadata)
        return document

    # What goes wrong with it

    def count(self, call: str) -> tuple[int, int]:
        """This request's number among those of its call, and among all, from 1."""
        for name in (call, "any"):
            self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[call], self.counts["any"]

    def fault(self, call: str, number: int, overall: int) -> Fault | None:
        if self.healed.is_set():
            return None
        return next((one for one in self.faults if one.meets(call, number, overall)), None)

    async def at(self, call: str, number: int, point: str) -> None:
        trap = self.trap
        if trap is None or (trap.call, trap.nth, trap.point) != (call, number, point):
            return
        self.trap = None
        self.tell({"reached": point})
        await self.until(self.gate)

    async def until(self, event: asyncio.Event) -> None:
        """Wait for an event, for "heal", or for so long that it makes no difference."""
        waits = [asyncio.ensure_future(one.wait()) for one in {event, self.healed}]
        try:
            await asyncio.wait(waits, timeout=HELD_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def arm(self, faults: list[Fault], trap: Trap | None) -> None:
        self.faults, self.trap = faults, trap
        self.counts.clear()

    def heal(self) -> None:
        self.trap = None
        self.healed.set()

    def report(self) -> dict[str, object]:
        now = time()
        leases = [asdict(one) | {"live": one.live(now)} for one in self.leases.values()]
        return {"leases": leases, "calls": self.calls}


def _iso(moment: float) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=moment)).isoformat(timespec="microseconds")
