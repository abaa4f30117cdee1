"""One connection to a tenant of the chaotic platform: reads requests, answers them, or breaks them."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import time

from tests.chaos.faults import SAID, Fault
from tests.chaos.tenant import Tenant
from tests.chaos.wire import Answer, Asked, error_answer, good, raw_answer


class Over(Exception):
    """This connection is to end without another word."""


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
            return good(200, self.tenant.document(lease) | {"status": "released"} if lease else {})
        return Answer([error_answer(500, "nothing_was_done")])

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
    theirs = tenant.document(tenant.leases["stranger-0"])
    theirs["metadata"] = dict(tenant.leases["stranger-0"].metadata)
    documents: dict[str, object] = {
        "list": {"allocations": [theirs], "next_cursor": None},
        "look": theirs | {"status": "released"},
        "release": theirs | {"status": "released"},
        "inference": {"text": "Somebody else's answer.", "finish_reason": "stop"},
    }
    return raw_answer(200, json.dumps(documents.get(asked.call, theirs)).encode())
