"""A model server that knows when it sent each token, to hold load testers against; one core, no model.

    python benchmarks/bench_truth_server.py [--port N] [--core N] [--ttft-ms 50] [--itl-ms 10]
        [--events-per-write N] [--truth FILE]

Prints its URL. Answers POST …/chat/completions: with "stream": true a chunk with the role at once, the first
of `max_tokens` tokens --ttft-ms after the request arrived, each other --itl-ms after the one before, then the
end, the usage and [DONE]; without, one whole answer at once. With --itl-ms 0 all is sent at once, so many
events to a write. On SIGTERM it writes the truth as JSON lines: first the share of its time in which it
wanted a CPU and had none, then for each request its number (the first in its prompt, or null), its arrival
and the moments before each token was given to the kernel, in nanoseconds of the machine's monotonic clock.
Arrivals are the kernel's time stamps, so that its own delay in reading a request is part of the truth. Linux
only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import select
import signal
import socket
import sys
from array import array
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns

from harpoon_cli.bench.engine.arrivals import ANCILLARY_BYTES, Arrivals
from harpoon_cli.bench.engine.watch import starved_ns

MS = 1_000_000
BATCH = 64

EVENT_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TOKENS = re.compile(rb'"max_(?:completion_)?tokens": ?(\d+)')
_STREAMS = re.compile(rb'"stream": ?true')
_NUMBER = re.compile(rb'"content": ?"[^"0-9]*(\d+)')


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """A chunk of a chat's stream, as vLLM writes it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    value = {
        "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1763800000,
        "model": "truth",
        "choices": [choice],
    }
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


BEGIN = EVENT_STREAM + chunk(event({"role": "assistant", "content": ""}))
TOKEN = chunk(event({"content": " token"}))


def usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": tokens + 8}


def ending(tokens: int) -> bytes:
    counts = json.dumps({"choices": [], "usage": usage(tokens)}, separators=(",", ":")).encode()
    end = chunk(event({}, "stop")) + chunk(b"data: " + counts + b"\n\n")
    return end + chunk(b"data: [DONE]\n\n") + chunk(b"")


def whole(tokens: int) -> bytes:
    message = {"role": "assistant", "content": " token" * tokens}
    value = {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "model": "truth",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage(tokens),
    }
    body = json.dumps(value, separators=(",", ":")).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


@dataclass(slots=True)
class Client:
    """A connection, and what is still to be sent on it."""

    connection: socket.socket
    received: bytes = b""
    unsent: bytes = b""
    left: int = 0
    tokens: int = 0
    due_ns: int = 0
    truth: array[int] = field(default_factory=lambda: array("q"))


class Server:
    """Sends tokens when they are due. Streams of one pace are due in the order in which they came."""

    def __init__(self, listener: socket.socket, options: argparse.Namespace) -> None:
        self._listener = listener
        self._ttft_ns, self._itl_ns = round(options.ttft_ms * MS), round(options.itl_ms * MS)
        self._per_write: int = options.events_per_write
        self._arrivals = Arrivals()
        self._arrivals.prepare(listener)  # what it accepts inherits it
        self._epoll = select.epoll()
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        self._clients: dict[int, Client] = {}
        self._firsts: deque[Client] = deque()
        self._nexts: deque[Client] = deque()
        self._flat = b"".join([TOKEN] * self._per_write)
        self._wholes: dict[int, bytes] = {}
        self.truths: list[tuple[int | None, array[int]]] = []
        self.stopped = False

    def serve(self) -> None:
        second_ns = 0
        while not self.stopped:
            now_ns = monotonic_ns()
            if now_ns > second_ns:
                self._arrivals.look()
                second_ns = now_ns + 1000 * MS
            self._send_due(self._firsts, now_ns)
            self._send_due(self._nexts, now_ns)
            for fd, bits in self._ready():
                if fd == self._listener.fileno():
                    self._accept()
                elif bits & select.EPOLLOUT:
                    self._send(self._clients[fd], b"")
                else:
                    self._read(self._clients[fd])

    def _ready(self) -> list[tuple[int, int]]:
        found = self._epoll.poll(0, BATCH)
        if found:
            return found
        dues = [waiting[0].due_ns for waiting in (self._firsts, self._nexts) if waiting]
        wait_s = (min(dues) - monotonic_ns()) / 1e9 if dues else 0.2
        if wait_s > 0:
            select.select((self._epoll,), (), (), wait_s)
        return self._epoll.poll(0, BATCH)

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients[connection.fileno()] = Client(connection)
                self._epoll.register(connection.fileno(), select.EPOLLIN)
        except BlockingIOError:
            pass

    def _leave(self, client: Client) -> None:
        client.left = 0
        del self._clients[client.connection.fileno()]
        client.connection.close()

    def _read(self, client: Client) -> None:
        try:
            data, ancillary, _, _ = client.connection.recvmsg(1 << 18, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leave(client)
            return
        at_ns = self._arrivals.when_ns(ancillary, monotonic_ns())
        client.received += data
        head = client.received.find(b"\r\n\r\n")
        length = _LENGTH.search(client.received, 0, head) if head >= 0 else None
        if length is not None and len(client.received) >= head + 4 + int(length[1]):
            body, client.received = client.received[head + 4 :], b""
            self._begin(client, body, at_ns)

    def _begin(self, client: Client, body: bytes, at_ns: int) -> None:
        tokens = _TOKENS.search(body)
        client.tokens = client.left = int(tokens[1]) if tokens else 16
        if not _STREAMS.search(body):
            client.left = 0
            if client.tokens not in self._wholes:
                self._wholes[client.tokens] = whole(client.tokens)
            self._send(client, self._wholes[client.tokens])
        elif not self._itl_ns:
            self._flood(client)
        else:
            number = _NUMBER.search(body)
            client.truth = array("q", (at_ns,))
            self.truths.append((int(number[1]) if number else None, client.truth))
            client.due_ns = at_ns + self._ttft_ns
            self._firsts.append(client)
            self._send(client, BEGIN)

    def _flood(self, client: Client) -> None:
        """Everything at once, `per_write` events to a write."""
        self._send(client, BEGIN)
        while client.left > 0:
            many = min(client.left, self._per_write)
            self._send(client, self._flat if many == self._per_write else TOKEN * many)
            client.left -= many
        self._send(client, ending(client.tokens))

    def _send_due(self, waiting: deque[Client], now_ns: int) -> None:
        for _ in range(BATCH):
            if not waiting or waiting[0].due_ns > now_ns:
                return
            client = waiting.popleft()
            if not client.left:
                continue
            client.truth.append(monotonic_ns())
            self._send(client, TOKEN)
            client.left -= 1
            if client.left > 0:
                client.due_ns += self._itl_ns
                self._nexts.append(client)
            else:
                self._send(client, ending(client.tokens))

    def _send(self, client: Client, data: bytes) -> None:
        data = client.unsent + data if client.unsent else data
        try:
            sent = client.connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(data)  # reading will tell
        had, client.unsent = bool(client.unsent), data[sent:]
        if bool(client.unsent) is not had:
            wanted = select.EPOLLIN | select.EPOLLOUT if client.unsent else select.EPOLLIN
            self._epoll.modify(client.connection.fileno(), wanted)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, help="the only core to use")
    parser.add_argument("--ttft-ms", type=float, default=50.0)
    parser.add_argument("--itl-ms", type=float, default=10.0)
    parser.add_argument("--events-per-write", type=int, default=16)
    parser.add_argument("--truth", type=Path, help="where to write the truth")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    options = arguments(words)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    gc.disable()  # a collection would make tokens late; the truth is small and has no cycles
    with socket.create_server(("127.0.0.1", options.port), backlog=4096) as listener:
        listener.setblocking(False)
        server = Server(listener, options)

        def stop(*_: object) -> None:
            server.stopped = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
        began_ns, starved = monotonic_ns(), starved_ns() or 0
        server.serve()
    if options.truth is not None:
        share = ((starved_ns() or 0) - starved) / (monotonic_ns() - began_ns)
        with options.truth.open("w", encoding="ascii") as file:
            file.write(json.dumps(share) + "\n")
            for number, truth in server.truths:
                file.write(json.dumps([number, *truth]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
