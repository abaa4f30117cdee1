"""The sandbox on a real port, met with raw sockets: what well-behaved clients do, and what others do."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harpoon_cli.client.embedded import Request, Response
from harpoon_cli.errors import ConfigurationFault, HarpoonError, UsageFault
from harpoon_cli.sandbox.server import Limits, serve
from tests.servers import PATIENCE_S

from .harness import KEY, application, pieces, served

QUICK = Limits(
    head_s=0.2, body_s=0.2, idle_s=0.2, write_s=0.5, linger_s=0.2, body_bytes=1000, head_bytes=2000
)


@dataclass
class Echo:
    """Answers with what it was asked; or as `answer` says."""

    answer: Callable[[Request], Response] | None = None
    seen: list[Request] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        self.seen.append(request)
        if self.answer is not None:
            return self.answer(request)
        told = [request.method, request.path, dict(request.query), len(request.body)]
        return Response(200, json.dumps(told).encode(), {"content-type": "application/json"})


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port), timeout=10) as connection:
        yield connection


def said(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def exchange(url: str, request: bytes) -> bytes:
    with connected(url) as connection:
        connection.sendall(request)
        return said(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def code(answer: bytes) -> str:
    return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"])


CLOSE = b"Host: h\r\nConnection: close\r\n\r\n"


def test_a_connection_serves_many_requests_also_when_they_come_at_once() -> None:
    with served(Echo()) as url:
        first = (
            b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        )
        answers = exchange(url, first + b"GET /c%20d?x=1&y= HTTP/1.1\r\n" + CLOSE)
    bodies = [part.split(b"]")[0] + b"]" for part in answers.split(b"\r\n\r\n")[1:]]
    assert [json.loads(body) for body in bodies if b"[" in body] == [
        ["GET", "/a", {}, 0],
        ["POST", "/b", {}, 3],
        ["GET", "/c d", {"x": "1", "y": ""}, 0],
    ]


def test_an_answer_in_pieces_goes_out_chunked_to_http_1_1_and_plain_to_http_1_0() -> None:
    echo = Echo(lambda _request: Response(200, pieces(b"one ", b"two"), {"content-type": "text/plain"}))
    with served(echo) as url:
        new = exchange(url, b"GET / HTTP/1.1\r\n" + CLOSE)
        old = exchange(url, b"GET / HTTP/1.0\r\n\r\n")
    assert new.endswith(b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")
    assert old.endswith(b"\r\n\r\none two")


def test_each_piece_leaves_before_the_next_is_made() -> None:
    gate = threading.Event()

    async def gated() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.to_thread(gate.wait, 10)
        yield b"second"

    with served(Echo(lambda _request: Response(200, gated()))) as url, connected(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + CLOSE)
        got = b""
        while b"first" not in got:
            got += connection.recv(65536)
        gate.set()
        assert b"second" in said(connection)


def test_a_client_that_leaves_in_the_middle_ends_its_answer() -> None:
    ended = threading.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
                await asyncio.sleep(0)
        finally:
            ended.set()

    with served(Echo(lambda _request: Response(200, endless()))) as url:
        with connected(url) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            connection.recv(1000)
        assert ended.wait(PATIENCE_S)


def test_head_is_answered_like_get_without_its_body() -> None:
    with served(Echo()) as url:
        answer = exchange(url, b"HEAD /a HTTP/1.1\r\n" + CLOSE)
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 20" in answer


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    with served(Echo()) as url, connected(url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + CLOSE)
        assert status(connection.recv(1000)) == 100
        connection.sendall(b"ab")
        assert status(said(connection)) == 200


def test_a_client_that_asks_first_with_too_much_is_told_no() -> None:
    with served(Echo(), QUICK) as url:
        answer = exchange(url, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n" + CLOSE)
    assert (status(answer), code(answer)) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("request_bytes", "expected", "expected_code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "malformed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n", 400, "malformed"),
        (b"GET http://[ HTTP/1.1\r\n" + CLOSE, 400, "malformed"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n" + CLOSE, 400, "malformed"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + CLOSE, 400, "malformed"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + CLOSE, 501, "malformed"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"zz\r\n", 400, "malformed"),
        (b"GET /" + b"a" * 3000, 431, "head_too_large"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2000\r\n" + CLOSE, 413, "body_too_large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"7d0\r\n" + b"a" * 2000, 413, None),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", 408, "too_slow"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n" + CLOSE + b"ab", 408, "too_slow"),
    ],
)
def test_what_is_no_good_http_is_answered_in_json_and_the_connection_ended(
    request_bytes: bytes, expected: int, expected_code: str | None
) -> None:
    with served(Echo(), QUICK) as url:
        answer = exchange(url, request_bytes)
    assert status(answer) == expected
    assert expected_code is None or code(answer) == expected_code


def test_a_large_body_that_is_refused_does_not_cost_the_client_its_answer() -> None:
    body = b"a" * 400_000
    with served(Echo(), QUICK) as url:
        answer = exchange(url, b"POST / HTTP/1.1\r\nContent-Length: 400000\r\n" + CLOSE + body)
    assert status(answer) == 413


def test_an_idle_connection_is_closed_without_a_word() -> None:
    with served(Echo(), QUICK) as url, connected(url) as connection:
        assert said(connection) == b""


def test_a_bug_in_the_application_is_500_in_json_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(request: Request) -> Response:
        if request.path == "/bug":
            raise ZeroDivisionError
        return Response(200, b"fine")

    with served(Echo(fail)) as url:
        broken = exchange(url, b"GET /bug HTTP/1.1\r\n" + CLOSE)
        fine = exchange(url, b"GET / HTTP/1.1\r\n" + CLOSE)
    assert (status(broken), code(broken)) == (500, "internal_error")
    assert status(fine) == 200
    assert "GET /bug failed" in caplog.text


def test_a_stream_that_fails_is_cut_off_and_not_passed_off_as_whole() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"part"
        raise ConnectionResetError

    with served(Echo(lambda _request: Response(200, failing()))) as url:
        answer = exchange(url, b"GET / HTTP/1.1\r\n" + CLOSE)
    assert b"part" in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_stopping_ends_connections_that_are_open() -> None:
    with served(Echo()) as url:
        connection = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(65536)
    with connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(UsageFault, match="loopback only"):
        asyncio.run(serve(Echo(), host, 0, started=print))


def test_a_port_that_is_taken_is_a_sentence_and_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigurationFault, match="cannot listen") as fault:
            asyncio.run(serve(Echo(), "127.0.0.1", taken.getsockname()[1], started=print))
        assert "--port" in str(fault.value.hint)


def test_a_port_that_is_none_is_an_error_of_ours() -> None:
    with pytest.raises(HarpoonError, match="cannot listen"):
        asyncio.run(serve(Echo(), "127.0.0.1", 70_000, started=print))


def test_the_sandbox_itself_over_a_real_port(tmp_path: Path) -> None:
    body = b'{"pool_id": "pool", "requirements": {"vram_mb": 1, "tflops": 1}}'
    head = f"POST /v1/allocate HTTP/1.1\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
    with served(application(tmp_path)) as url:
        length = f"Content-Length: {len(body)}\r\n"
        answer = exchange(url, (head + length).encode() + CLOSE + body)
    assert status(answer) == 201
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["pool_id"] == "pool"
