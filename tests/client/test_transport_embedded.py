"""An embedded platform behind the same transport as a server: no socket, the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from harpoon_cli.client.embedded import Application, Request, Response
from harpoon_cli.client.transport import Endpoint, Exchange, Network, Transport
from harpoon_cli.domain import Secret
from harpoon_cli.errors import GarbledAnswer, NotAuthorised, TimedOut
from tests.client.talk import KEY
from tests.servers import run

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


class Scripted(Application):
    """Answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self.requests: list[Request] = []
        self._answer = answer

    async def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return self._answer(request)


def connected(application: Application, network: Network | None = None) -> Transport:
    return Transport(Endpoint("http://sandbox", Secret(KEY), embedded=application), network)


async def called(
    application: Application, method: str, path: str, query: Mapping[str, str] | None = None
) -> object:
    transport = connected(application)
    try:
        body = {"a": 1} if method == "POST" else None
        return await transport.call(method, path, body=body, query=query, deadline_s=10)
    finally:
        await transport.aclose()


def test_it_is_asked_as_a_server_is() -> None:
    platform = Scripted(lambda _: Response(201, b'{"id": 1}', JSON))
    assert run(called(platform, "POST", "/v1/allocate", {"cursor": "a b&c"})) == {"id": 1}
    (seen,) = platform.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/v1/allocate", {"cursor": "a b&c"})
    assert seen.body == b'{"a": 1}'
    assert seen.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("path", "decoded"), [("/a/%2541", "/a/%41"), ("/a/%C3%BC", "/a/\u00fc"), ("/a/b%20c", "/a/b c")]
)
def test_a_path_is_decoded_once(path: str, decoded: str) -> None:
    platform = Scripted(lambda _: Response(200, b"{}", JSON))
    run(called(platform, "GET", path))
    assert platform.requests[0].path == decoded


def test_its_refusals_are_errors_like_a_servers() -> None:
    platform = Scripted(lambda _: Response(401, b'{"error": "who?", "code": "c"}', JSON))
    with pytest.raises(NotAuthorised, match="answered 401: who"):
        run(called(platform, "GET", "/"))


def test_its_answers_are_capped_like_a_servers() -> None:
    platform = Scripted(lambda _: Response(200, b'"' + b"x" * 2000 + b'"', JSON))

    async def ask() -> None:
        with pytest.raises(GarbledAnswer, match="sent more than"):
            await connected(platform, Network(max_body_bytes=1000)).call("GET", "/", deadline_s=10)

    run(ask())


def test_a_call_to_it_has_a_deadline() -> None:
    class Sleepy(Application):
        async def handle(self, request: Request) -> Response:
            await asyncio.Event().wait()
            raise AssertionError

    async def ask() -> None:
        with pytest.raises(TimedOut):
            await connected(Sleepy()).call("GET", "/", deadline_s=0.1)

    run(ask())


def test_a_deadline_is_noticed_though_nothing_ever_has_to_be_waited_for() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b": keep-alive\n\n"

    platform = Scripted(lambda _: Response(200, pieces(), EVENTS))

    async def listen() -> None:
        transport = connected(platform, Network(max_body_bytes=2**40))
        async with transport.events("/", body={}, deadline_s=0.1) as pieces:
            async for _ in pieces:
                pass

    with pytest.raises(TimedOut):
        run(listen())


class Stream:
    """Pieces without end, and whether somebody ended them."""

    def __init__(self) -> None:
        self.closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0)
        finally:
            self.closed = True


def test_its_streams_arrive_in_pieces_and_are_ended_with_the_reader() -> None:
    stream = Stream()
    platform = Scripted(lambda _: Response(200, stream.pieces(), EVENTS))

    async def ask() -> list[bytes]:
        transport = connected(platform)
        async with transport.events("/", body={}, deadline_s=10) as pieces:
            found = [await anext(pieces), await anext(pieces)]
        assert stream.closed
        await transport.aclose()
        return found

    assert run(ask()) == [b"data: 1\n\n"] * 2


def test_a_call_to_it_is_observed() -> None:
    exchanges: list[Exchange] = []
    platform = Scripted(lambda _: Response(200, b"{}", JSON))

    async def ask() -> None:
        endpoint = Endpoint("http://sandbox", embedded=platform)
        await Transport(endpoint, observe=exchanges.append).call("GET", "/x", deadline_s=10)

    run(ask())
    (one,) = exchanges
    assert (one.path, one.status, one.connect_s) == ("/x", 200, None)
    assert one.first_byte_s is not None


def test_a_failure_of_its_own_is_not_hidden() -> None:
    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(called(Scripted(broken), "GET", "/"))


def test_a_stream_closed_by_its_generator_is_closed_once() -> None:
    async def two() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    platform = Scripted(lambda _: Response(200, two(), EVENTS))

    async def ask() -> bytes:
        async with (
            connected(platform).events("/", body={}, deadline_s=10) as pieces,
        ):
            return b"".join([piece async for piece in pieces])

    assert run(ask()) == b"data: 1\n\ndata: 2\n\n"
