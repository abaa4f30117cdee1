"""Connections that never come about, or too late: nothing of them outlives its call, nor delays the end."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpcore
import pytest

from harpoon_cli.client import resolving, sockets
from harpoon_cli.client.connection import resolve_s
from harpoon_cli.client.resolving import resolve
from harpoon_cli.client.sockets import first_of
from harpoon_cli.client.transport import Endpoint, Network, Transport
from harpoon_cli.errors import NotSent, PlatformError
from tests.servers import LOOPBACK_PEM, PATIENCE_S, Conversation, FaultyServer, always, answer, run

SHORT_S = 0.1
"""A deadline that is meant to pass."""


@pytest.fixture
def hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that hangs until the end of the test."""
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        released.wait(PATIENCE_S)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield released
    released.set()


async def failing(url: str, deadline_s: float, network: Network | None = None) -> PlatformError:
    transport = Transport(Endpoint(url), network)
    try:
        with pytest.raises(PlatformError) as caught:
            await transport.call("GET", "/", deadline_s=deadline_s)
        return caught.value
    finally:
        await transport.aclose()


@pytest.mark.usefixtures("hanging_resolver")
def test_a_resolver_that_hangs_ends_at_the_deadline_and_at_the_connect_limit() -> None:
    for deadline_s, network in ((SHORT_S, Network()), (PATIENCE_S, Network(connect_s=SHORT_S))):
        error = run(failing("http://platform.example.com", deadline_s, network))
        assert type(error) is NotSent
        assert "no connection in 0." in error.message


@pytest.mark.usefixtures("hanging_resolver")
def test_doctors_look_at_a_resolver_that_hangs_ends_too() -> None:
    with pytest.raises(NotSent, match=r"not within 0\.1 s"):
        run(resolve_s("http://platform.example.com", deadline_s=SHORT_S))


HANGING_PROCESS = f"""
import asyncio, socket, threading

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()

from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.errors import NotSent

async def main():
    transport = Transport(Endpoint("http://platform.example.com"))
    try:
        await transport.call("GET", "/", deadline_s={SHORT_S})
    except NotSent:
        print("not sent")
    await transport.aclose()

asyncio.run(main())
"""


def test_a_process_whose_resolver_hangs_for_ever_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING_PROCESS], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "not sent\n", "")


def test_an_answer_that_comes_after_the_loop_has_ended_harms_nobody(
    hanging_resolver: threading.Event,
) -> None:
    run(failing("http://platform.example.com", SHORT_S))
    (thread,) = [one for one in threading.enumerate() if one.name == "resolve platform.example.com"]
    hanging_resolver.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_addresses_are_looked_up_and_each_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 0, 0, "", (one, 1)) for one in ("192.0.2.1", "2001:db8::1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    assert run(resolve("platform.example.com", 443)) == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2001:db8::7"])
def test_an_address_is_not_looked_up(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "Thread", None)
    assert run(resolve(host, 443)) == [host]


class Line(httpcore.AsyncNetworkStream):
    """A connection that knows whether it was closed."""

    def __init__(self, address: str) -> None:
        self.address, self.closed = address, False

    async def aclose(self) -> None:
        self.closed = True


class Addresses:
    """Some that answer, refuse, or are silent until they are given up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, after_s: float = 0.0) -> None:
        monkeypatch.setattr(sockets, "NEXT_ADDRESS_AFTER_S", after_s)
        self.given_up: list[str] = []
        self.lines: list[Line] = []

    async def connect(self, address: str) -> httpcore.AsyncNetworkStream:
        if address.startswith("silent"):
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.append(address)
        if address.startswith("refuses"):
            raise httpcore.ConnectError(address)
        self.lines.append(Line(address))
        return self.lines[-1]

    def first(self, *addresses: str) -> str:
        line = run(first_of(addresses, self.connect))
        assert isinstance(line, Line)
        assert not line.closed
        return line.address


def test_an_address_that_is_silent_does_not_keep_the_next_from_being_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Addresses(monkeypatch)
    assert network.first("silent 1", "silent 2", "good") == "good"
    assert sorted(network.given_up) == ["silent 1", "silent 2"]


def test_an_address_that_refuses_is_followed_by_the_next_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Addresses(monkeypatch, after_s=PATIENCE_S * 2).first("refuses", "good") == "good"


def test_where_no_address_answers_the_last_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(httpcore.ConnectError, match="refuses 2"):
        Addresses(monkeypatch).first("refuses 1", "refuses 2")
    with pytest.raises(httpcore.ConnectError, match="no address"):
        Addresses(monkeypatch).first()


def test_two_that_answer_at_the_same_time_leave_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Addresses(monkeypatch)

    async def together() -> None:
        met = asyncio.Barrier(2)

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            await met.wait()
            return await network.connect(address)

        await first_of(["one", "two"], connect)

    run(together())
    assert sorted(line.closed for line in network.lines) == [False, True]


def test_who_is_cancelled_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Addresses(monkeypatch)

    async def cancelled() -> None:
        trial = asyncio.create_task(first_of(["silent"], network.connect))
        await asyncio.sleep(0.01)
        trial.cancel()
        await asyncio.wait({trial})
        assert trial.cancelled()

    run(cancelled())
    assert network.given_up == ["silent"]


def test_a_name_with_two_addresses_of_which_one_refuses_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 0, 0, "", (one, 1)) for one in ("::1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)

    async def ask() -> object:
        async with FaultyServer(always(answer(200, {"a": 1}))) as server:
            transport = Transport(Endpoint(f"http://platform.example.com:{server.port}"))
            try:
                return await transport.call("GET", "/", deadline_s=10)
            finally:
                await transport.aclose()

    assert run(ask()) == {"a": 1}


async def mute(conversation: Conversation) -> None:
    await conversation.until_client_leaves()


@pytest.mark.parametrize("network", [Network(), Network(connect_s=SHORT_S)])
def test_a_handshake_that_is_cut_short_closes_its_connection_at_once(network: Network) -> None:
    async def ask() -> None:
        async with FaultyServer(mute) as server:
            transport = Transport(Endpoint(server.url.replace("http:", "https:")), network)
            gc.disable()  # what would close it in the end, much later
            try:
                with pytest.raises(NotSent):
                    await transport.call("GET", "/", deadline_s=SHORT_S * 2)
                await server.left.wait()
            finally:
                gc.enable()
            await transport.aclose()

    run(ask())


def test_a_handshake_through_a_proxy_that_is_cut_short_closes_its_connection_at_once() -> None:
    async def tunnel(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await conversation.until_client_leaves()

    async def ask() -> None:
        async with FaultyServer(tunnel) as proxy:
            transport = Transport(Endpoint("https://platform.invalid"), Network(proxy=proxy.url))
            gc.disable()
            try:
                with pytest.raises(NotSent):
                    await transport.call("GET", "/", deadline_s=SHORT_S)
                await proxy.left.wait()
            finally:
                gc.enable()
            await transport.aclose()

    run(ask())


def requiring_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_PEM)
    context.load_verify_locations(LOOPBACK_PEM)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("certificate", [str(LOOPBACK_PEM), None])
def test_a_server_that_asks_for_a_certificate_of_ours_gets_the_one_that_is_configured(
    certificate: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers._server_tls", requiring_certificate)

    async def ask() -> object:
        async with FaultyServer(always(answer(200, {"a": 1})), tls=True) as server:
            transport = Transport(
                Endpoint(server.url), Network(ca_bundle=str(LOOPBACK_PEM), client_cert=certificate)
            )
            try:
                return await transport.call("GET", "/", deadline_s=10)
            except PlatformError:
                return None
            finally:
                await transport.aclose()

    assert run(ask()) == ({"a": 1} if certificate else None)
