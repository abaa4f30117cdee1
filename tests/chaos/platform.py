"""A platform of the default contract that fails on demand, a process of its own; knows nothing of harpoon.

    python platform.py SOCKET

Every connection to the UNIX socket opens a tenant: a loopback port with leases, defects and faults of its
own, gone when the connection ends. It is spoken to in JSON lines:

    {"open": {…}}       a tenant of this nature ──► {"port": 40123}
    {"arm": {"faults": [{…}], "trap": {…}}}   from here on; counts start again ──► {"armed": true}
    {"go": true}        let go what the trap holds                (no answer)
    {"heal": true}      no faults and no traps from here on       (no answer)
    {"down": true}      refuse connections until "heal"           (no answer)
    {"report": true}    ──► {"leases": [{…}], "calls": [{…}]}
    (by itself)         ──► {"reached": "committed"} where the trap has caught a request
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

CALLS = ("pools", "allocate", "look", "list", "inference", "release")
"""The calls that a fault or a trap can name; "any" counts all requests, "connection" what is accepted."""

POINTS = ("head", "asked", "committed", "half", "answered")
"""Where a request can be caught: its head read, all of it read, its effect had, its answer half and all sent.

A stream's "half" comes after its first piece.
"""

TEXT = "The sky is blue because air scatters short waves most. "
HTML = b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"
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


@dataclass(frozen=True)
class Fault:
    """From the nth request of this call on, `times` requests go wrong; `effect` says whether they act."""

    call: str
    form: str
    effect: bool = False
    nth: int = 1
    times: int = 1

    def meets(self, call: str, number: int, overall: int) -> bool:
        count = overall if self.call == "any" else number if self.call == call else 0
        return self.nth <= count < self.nth + self.times


@dataclass(frozen=True)
class Trap:
    """Where one request is caught and told, and held until "go"."""

    call: str
    point: str
    nth: int = 1


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
class Answer:
    """A whole good answer: bytes that are sent in these pieces."""

    pieces: list[bytes]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    call: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def lease_id(self) -> str:
        return self.path.rpartition("/")[2]


def good(status: int, document: object) -> Answer:
    return Answer([_raw(status, json.dumps(document).encode())])


def _raw(status: int, body: bytes, kind: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n{extra}\r\n"
    return head.encode() + body


def _error(status: int, code: str, extra: str = "") -> bytes:
    return _raw(status, json.dumps({"error": f"the fault {code}", "code": code}).encode(), extra=extra)


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


SAID: dict[str, Callable[[], bytes]] = {
    "500": lambda: _error(500, "internal"),
    "502": lambda: _raw(502, HTML, "text/html"),
    "503": lambda: _error(503, "unavailable"),
    "504": lambda: _raw(504, b"upstream request timeout", "text/plain"),
    "401": lambda: _error(401, "unauthorised"),
    "408": lambda: _error(408, "timeout"),
    "409": lambda: _error(409, "conflict"),
    "429": lambda: _error(429, "slow_down", "Retry-After: 1\r\n"),
    "429-date": lambda: _error(429, "slow_down", f"Retry-After: {_http_date(time() + 1)}\r\n"),
    "429-junk": lambda: _error(429, "slow_down", "Retry-After: soon\r\n"),
    "404-html": lambda: _raw(404, HTML, "text/html"),
    "404-json": lambda: _error(404, "not_found"),
    "410": lambda: _raw(410, b"gone", "text/plain"),
    "307": lambda: _raw(307, b"", extra="Location: http://127.0.0.1:9/elsewhere\r\n"),
    "200-error": lambda: _error(200, "10180000"),
    "200-code": lambda: _raw(200, b'{"code": 10180001, "message": "no", "errors": []}'),
    "200-empty": lambda: _raw(200, b""),
    "200-html": lambda: _raw(200, HTML, "text/html"),
    "200-list": lambda: _raw(200, b"[]"),
    "200-null": lambda: _raw(200, b"null"),
    "200-object": lambda: _raw(200, b"{}"),
    "junk": lambda: b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n",
}
"""Forms that are a fixed text in place of the good answer."""

REFUSALS = ("401", "404-json", "409", "410", "429", "429-date", "429-junk")
"""Forms that say that nothing was done: after the effect of an allocate they would be lies."""

BROKEN = ("reset", "close", "hang", "cut", "cut-head", "drip")
OTHERS = ("strangers", "pretend")
"""strangers: the answer that somebody else's request got; pretend: a good answer though nothing was done."""

FORMS = (*SAID, *BROKEN, *OTHERS)


def _http_date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


class Over(Exception):
    """This connection is to end without another word."""


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
        return act(asked) if act else Answer([_error(404, "no_such_path")])

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
        document = self._document(lease)
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
        return good(200, self._document(lease)) if lease else Answer([_error(404, "allocation_not_found")])

    def _release(self, asked: Asked) -> Answer:
        lease = self._shown(asked)
        if lease is None:
            return Answer([_error(404, "allocation_not_found")])
        if lease.released_at is None:
            lease.released_at = time() + self.nature.releases_in_s
        return good(200, self._document(lease) | {"status": "released"})

    def _list(self, asked: Asked) -> Answer:
        if not self.nature.lists:
            return Answer([_error(405, "method_not_allowed")])
        now, start = time(), int(asked.query.partition("cursor=")[2] or 0)
        shown = [
            one
            for one in self.leases.values()
            if one.live(now) and now >= one.created_at + self.nature.list_lag_s
        ]
        end = start + self.nature.page
        rows = [self._document(one) for one in shown[start:end]]
        return good(200, {"allocations": rows, "next_cursor": str(end) if len(shown) > end else None})

    def _inference(self, asked: Asked) -> Answer:
        wanted = json.loads(asked.body)
        lease = self.leases.get(str(wanted.get("allocation_id")))
        if lease is None or not lease.live(time()):
            return Answer([_error(404, "allocation_not_found")])
        if not wanted["stream"]:
            return good(200, {"text": TEXT * 2, "finish_reason": "stop"})
        deltas: list[dict[str, object]] = [{"choices": [{"delta": {"content": TEXT}}]} for _ in range(2)]
        deltas.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        events = [b"data: %s\n\n" % json.dumps(one).encode() for one in deltas] + [b"data: [DONE]\n\n"]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        return Answer([head + _chunk(events[0]), *map(_chunk, events[1:]), _chunk(b"")])

    def _document(self, lease: Lease) -> dict[str, object]:
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


@dataclass
class Conversation:
    """One connection to a tenant's port."""

    tenant: Tenant
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def serve(self) -> None:
        with suppress(EOFError, OSError, Over, asyncio.LimitOverrunError):
            number, _ = self.tenant.count("connection")
            if fault := self.tenant.fault("connection", number, 0):
                await self._break(fault.form, b"")
            while True:
                await self._one()
        self.writer.close()

    async def _one(self) -> None:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        call = _call(method, path)
        number, overall = self.tenant.count(call)
        await self.tenant.at(call, number, "head")
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        await self._answered(Asked(call, method, path, query, headers, body), number, overall)

    async def _answered(self, asked: Asked, number: int, overall: int) -> None:
        tenant = self.tenant
        await tenant.at(asked.call, number, "asked")
        fault = tenant.fault(asked.call, number, overall)
        answer = self._acted(asked, fault)
        tenant.calls.append(_told(asked, fault))
        await tenant.at(asked.call, number, "committed")
        if fault is not None and fault.form != "pretend":
            await self._fail(fault, asked, answer)
        else:
            await self._send(asked.call, number, answer)
        await tenant.at(asked.call, number, "answered")

    def _acted(self, asked: Asked, fault: Fault | None) -> Answer:
        if fault is None or fault.effect:
            return self.tenant.act(asked)
        if fault.form == "pretend" and asked.call == "release":
            lease = self.tenant.leases.get(asked.lease_id)
            return good(200, self.tenant._document(lease) | {"status": "released"} if lease else {})
        return Answer([_error(500, "nothing_was_done")])

    async def _send(self, call: str, number: int, answer: Answer) -> None:
        pieces = answer.pieces
        if len(pieces) == 1:
            middle = len(pieces[0]) // 2
            pieces = [pieces[0][:middle], pieces[0][middle:]]
        for index, piece in enumerate(pieces):
            await self._write(piece)
            if index == 0:
                await self.tenant.at(call, number, "half")

    async def _write(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def _fail(self, fault: Fault, asked: Asked, answer: Answer) -> None:
        if fault.form in SAID:
            await self._write(SAID[fault.form]())
        elif fault.form == "strangers":
            await self._write(_of_a_stranger(self.tenant, asked))
        else:
            await self._break(fault.form, b"".join(answer.pieces))

    async def _break(self, form: str, raw: bytes) -> None:
        """The forms that end a connection."""
        breaks: dict[str, Callable[[bytes], Awaitable[None]]] = {
            "hang": self._hang,
            "cut": self._cut,
            "cut-head": lambda raw: self._write(raw[:20]),
            "drip": self._drip,
            "reset": self._reset,
        }
        if act := breaks.get(form):
            await act(raw)
        raise Over

    async def _hang(self, _raw: bytes) -> None:
        await self.tenant.until(self.tenant.healed)

    async def _cut(self, raw: bytes) -> None:
        await self._write(raw[: -max(1, len(raw) // 4)])

    async def _drip(self, raw: bytes) -> None:
        for index in range(len(raw)):
            await self._write(raw[index : index + 1])
            await asyncio.sleep(0.02)

    async def _reset(self, _raw: bytes) -> None:
        raw_socket = self.writer.get_extra_info("socket")
        raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _call(method: str, path: str) -> str:
    if path.startswith("/v1/allocate/"):
        return {"GET": "look", "DELETE": "release"}.get(method, "other")
    fixed = {
        ("GET", "/v1/pools"): "pools",
        ("POST", "/v1/allocate"): "allocate",
        ("GET", "/v1/allocate"): "list",
        ("POST", "/v1/inference"): "inference",
    }
    return fixed.get((method, path), "other")


def _told(asked: Asked, fault: Fault | None) -> dict[str, object]:
    """What the harness is told of a call: never the body of a prompt."""
    told: dict[str, object] = {"call": asked.call, "path": asked.path, "at": time()}
    if asked.call == "allocate":
        told["reference"] = json.loads(asked.body).get("metadata", {}).get("reference")
        told["key"] = asked.headers.get("idempotency-key")
    return told | ({"fault": fault.form, "effect": fault.effect} if fault else {})


def _of_a_stranger(tenant: Tenant, asked: Asked) -> bytes:
    """What another client's request of the same kind was answered."""
    theirs = tenant._document(tenant.leases["stranger-0"])
    theirs["metadata"] = dict(tenant.leases["stranger-0"].metadata)
    documents: dict[str, object] = {
        "list": {"allocations": [theirs], "next_cursor": None},
        "look": theirs | {"status": "released"},
        "release": theirs | {"status": "released"},
        "inference": {"text": "Somebody else's answer.", "finish_reason": "stop"},
    }
    return _raw(200, json.dumps(documents.get(asked.call, theirs)).encode())


class Desk:
    """Opens a tenant for every connection of the harness, and does what it is told."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(value: object) -> None:
            writer.write(json.dumps(value).encode() + b"\n")

        tenant = Tenant(Nature(**json.loads(await reader.readline())["open"]), tell)
        port = Port(tenant)
        await port.up()
        tell({"port": port.number})
        try:
            while line := await reader.readline():
                await self._obey(json.loads(line), tenant, port)
        finally:
            tenant.heal()
            await port.down()
            writer.close()

    async def _obey(self, order: dict[str, Any], tenant: Tenant, port: Port) -> None:
        if "arm" in order:
            trap = order["arm"]["trap"]
            tenant.arm([Fault(**one) for one in order["arm"]["faults"]], Trap(**trap) if trap else None)
            tenant.tell({"armed": True})
        elif "go" in order:
            tenant.gate.set()
        elif "heal" in order:
            tenant.heal()
            await port.up()
        elif "down" in order:
            await port.down()
        elif "report" in order:
            tenant.tell(tenant.report())


class Port:
    """A tenant's loopback port: the same number whenever it is up."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.number = 0

    async def up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.number)
            self.number = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._writers:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await Conversation(self._tenant, reader, writer).serve()
        finally:
            self._writers.discard(writer)


async def main(path: str) -> None:
    server = await asyncio.start_unix_server(Desk().serve, path)
    print("ready", flush=True)
    async with server:
        # It ends with whoever started it: that is what holds the other end.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
