"""What one request of a run is and was: asked, due, sent, answered. Values only; no I/O and no verdict.

Every time is in nanoseconds of the monotonic clock after the run's start, so that times of one run compare.
"""

from __future__ import annotations

from array import array
from enum import StrEnum

from harpoon_cli.values import Struct, field


class Message(Struct, frozen=True):
    """One turn of a conversation: role is "system", "user" or "assistant"."""

    role: str
    content: str


class Ask(Struct, frozen=True):
    """One request to make. `index` is its place in the plan, the same on every machine that shares the plan.

    input_tokens is what a tokenizer or a trace says of the prompt, None where nothing does. Turns of one
    conversation are asked one after another; `messages` then holds this turn's own messages only, and the
    engine puts the turns before it, with the answers that came, in front. After the one that `is_last` the
    conversation is forgotten.
    """

    index: int
    messages: tuple[Message, ...]
    max_tokens: int
    model: str
    input_tokens: int | None = None
    conversation: int | None = None
    is_last: bool = False


class Shot(Struct, frozen=True):
    """An ask, and when the plan wants it sent: seconds after the start; None: once there is a free place."""

    ask: Ask
    due_s: float | None


class Stamped(StrEnum):
    """Where the arrival times of a run come from."""

    KERNEL = "kernel receive time stamps"
    READ = "the read callback"


class Counted(StrEnum):
    """Where a number of tokens comes from."""

    USAGE = "the server's usage"
    TOKENIZER = "a tokenizer file"
    CHUNKS = "streamed chunks"


class Sample(Struct):
    """One request as it went. Filled while it is under way, not changed after.

    intended_ns: when the plan wanted it sent; None in a closed loop, which has no plan of times.
    ready_ns: when it could have been sent but for the wait for a connection and the loop.
    dns_ns, connect_ns, tls_ns: how long each took; None on a connection that was used again.
    sent_ns: just before the write of its first byte. first_byte_ns: the first byte of the answer's head.
    chunk_ns: arrival of every chunk with content, reasoning or a tool call, in order; chunks are not tokens.
    done_ns: arrival of the end of the answer. error: None for a whole, good answer, else its kind
    ("http_503", "reset", "incomplete", "timed_out", "error_event", "refused", "garbled", …); it may have
    chunks all the same. lag_ns: the longest time between an arrival and our reading it, as far as that is
    known. write_ns: how long that write took; the server cannot have had the request before.

    unsure: three numbers for every read some of whose chunks may have come before it says: the first of them,
    how many they are, and by how many ns at most.
    """

    index: int
    model: str
    intended_ns: int | None = None
    ready_ns: int = 0
    dns_ns: int | None = None
    connect_ns: int | None = None
    tls_ns: int | None = None
    sent_ns: int | None = None
    first_byte_ns: int | None = None
    chunk_ns: array[int] = field(default_factory=lambda: array("q"))
    done_ns: int | None = None
    status: int | None = None
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    counted: Counted = Counted.CHUNKS
    lag_ns: int = 0
    write_ns: int = 0
    unsure: array[int] = field(default_factory=lambda: array("q"))
