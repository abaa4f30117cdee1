"""Looks up host names in threads that nobody waits for: one that hangs delays no deadline and no exit."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread


async def resolve(host: str, port: int | None) -> list[str]:
    """The addresses of a host, best first, each once; `OSError` or `UnicodeError` where it has none."""
    with suppress(ValueError):
        return [str(ip_address(host))]
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(outcome: list[str] | Exception) -> None:
        if found.done():
            return
        if isinstance(outcome, Exception):
            found.set_exception(outcome)
        else:
            found.set_result(outcome)

    def work() -> None:
        outcome = _looked_up(host, port)
        with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    # The loop's own executor would be waited for at the end of the program, for as long as a lookup takes.
    Thread(target=work, name=f"resolve {host}", daemon=True).start()
    return await found


def _looked_up(host: str, port: int | None) -> list[str] | Exception:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as error:  # raised where it is waited for
        return error
    return list(dict.fromkeys(str(address[0]) for *_, address in rows))
