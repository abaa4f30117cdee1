"""A platform of the default contract that fails on demand, a process of its own; knows nothing of harpoon.

    python -m tests.chaos.platform SOCKET

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
import sys
from typing import Any

from tests.chaos.conversation import Conversation
from tests.chaos.faults import Fault, Trap
from tests.chaos.tenant import Nature, Tenant


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
