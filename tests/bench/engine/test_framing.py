"""Heads, bodies and events, cut at every place and told from bytes that are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.bench.engine.bodies import LINE_CAP_BYTES, TRAILER_CAP_BYTES, Chunked, Measured, body_of
from harpoon_cli.bench.engine.events import EVENT_CAP_BYTES, EventCutter
from harpoon_cli.bench.engine.faults import Fault
from harpoon_cli.bench.engine.head import read_head
from harpoon_cli.client.wire import EventScanner


def cut(raw: bytes, places: Iterable[int]) -> list[bytes]:
    """`raw` in pieces that end at those places; places past its end are passed over."""
    ends = sorted({place for place in places if place < len(raw)} | {len(raw)})
    return [raw[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


PLACES = st.lists(st.integers(0, 400), max_size=40)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), PLACES, st.sampled_from(["", ";a=b", " "]))
def test_a_chunked_body_is_the_same_however_it_is_cut(
    contents: Sequence[bytes], places: Sequence[int], extension: str
) -> None:
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension.encode(), one) for one in contents)
    body = Chunked()
    fed = b"".join(map(body.feed, cut(framed + b"0\r\nA: b\r\n\r\n", places)))
    assert fed == b"".join(contents)
    assert (body.finished, body.surplus) == (True, False)


@given(st.binary(max_size=80), PLACES)
def test_a_measured_body_is_the_same_however_it_is_cut(content: bytes, places: Sequence[int]) -> None:
    body = Measured(len(content))
    assert b"".join(map(body.feed, cut(content, places))) == content
    assert body.finished
    assert not body.surplus


@given(
    st.lists(
        st.sampled_from(
            [b"data:", b"data: ", b"x", b"\n", b"\r\n", b"\r", b":", b"id: 1", b"{}", b'{"error": 1}']
        )
    ),
    PLACES,
)
def test_events_are_those_that_the_control_planes_scanner_sees(
    parts: Sequence[bytes], places: Sequence[int]
) -> None:
    raw = b"".join(parts)
    cutter, scanner = EventCutter(), EventScanner()
    pieces = cut(raw, places)
    assert [data for piece in pieces for data in cutter.feed(piece)] == [
        data for piece in pieces for data in scanner.feed(piece)
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\n",
        b"1_0\r\n",
        b"\r\n",
        b"5\r\nhello!!",
        b"5\r\nhello\rX",
        b"f" * 16 + b"\r\n",
    ],
)
def test_chunks_that_are_none_are_garbled(raw: bytes) -> None:
    with pytest.raises(Fault, match="garbled"):
        Chunked().feed(raw)


def test_lines_trailers_and_events_have_an_end() -> None:
    with pytest.raises(Fault, match="oversize"):
        Chunked().feed(b"5;" + b"x" * LINE_CAP_BYTES)
    body = Chunked()
    body.feed(b"0\r\n")
    with pytest.raises(Fault, match="oversize"):
        body.feed(b"x" * (TRAILER_CAP_BYTES + 1))
    with pytest.raises(Fault, match="oversize"):
        EventCutter().feed(b"x" * (EVENT_CAP_BYTES + 1))


def test_bytes_after_a_body_are_noticed() -> None:
    chunked, measured = Chunked(), Measured(2)
    chunked.feed(b"0\r\n\r\nHTTP")
    measured.feed(b"okHTTP")
    assert chunked.surplus
    assert measured.surplus


HEADS = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5", (200, False, 5, True)),
    "chunks": (b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:  Chunked ", (200, True, None, True)),
    "neither": (b"HTTP/1.1 200 OK", (200, False, None, False)),
    "no reason": (b"HTTP/1.1 503\r\nContent-Length: 0", (503, False, 0, True)),
    "an end that is announced": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close",
        (200, False, 5, False),
    ),
    "the old version": (b"HTTP/1.0 200 OK\r\nContent-Length: 5", (200, False, 5, False)),
    "the old version that stays": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive",
        (200, False, 5, True),
    ),
    "one length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5", (200, False, 5, True)),
    "a status without a body": (b"HTTP/1.1 204 No Content", (204, False, 0, True)),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_says_how_its_body_ends(kind: str) -> None:
    raw, expected = HEADS[kind]
    head = read_head(raw)
    assert (head.status, head.chunked, head.length, head.keeps_alive) == expected
    assert body_of(head).finished is (head.length == 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6",
        b"HTTP/2 200",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 200 OK\r\n folded",
        b"HTTP/1.1 200 OK\r\nNo colon",
        b"HTTP/1.1 200 OK\r\nSpace : x",
        b"HTTP/1.1 200 OK\r\nA: x\nB: y",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip",
    ],
)
def test_a_head_that_is_none_is_garbled(raw: bytes) -> None:
    with pytest.raises(Fault, match="garbled"):
        read_head(raw)
