"""How each figure is worked out, in code; `definitions` says the same in words. It keeps nothing.

Every function takes a batch of samples and gives the durations (whole nanoseconds) of those that have one, so
that a batch is filed at once. The names are those of `definitions`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import add, sub

from harpoon_cli.bench.recording.sample import Sample

Measure = Callable[[Sequence[Sample]], list[int]]

NS_PER_S = 1_000_000_000


def start_ns(sample: Sample) -> int:
    """When a request was to start, for placing it in time: as planned, else when it could have been sent."""
    return sample.ready_ns if sample.intended_ns is None else sample.intended_ns


def end_ns(sample: Sample) -> int:
    """When a request was over, however it ended, as far as that is known."""
    for at in (sample.done_ns, sample.chunk_ns[-1] if sample.chunk_ns else None, sample.sent_ns):
        if at is not None:
            return at
    return sample.ready_ns


def last_ns(sample: Sample) -> int | None:
    """When an answer's last content came: its last chunk, or its end where it had none."""
    return sample.chunk_ns[-1] if sample.chunk_ns else sample.done_ns


def tokens_of(sample: Sample) -> int:
    """Its output tokens, by the best count there is; chunks where nothing counted."""
    return len(sample.chunk_ns) if sample.output_tokens is None else sample.output_tokens


def connecting_ns(sample: Sample) -> int:
    """What it waited for a connection of its own; 0 on one that was used again."""
    return (sample.dns_ns or 0) + (sample.connect_ns or 0) + (sample.tls_ns or 0)


def time_per_token_ns(sample: Sample) -> int | None:
    """(E2E - TTFT) / (tokens - 1); None for fewer than two tokens or an answer that came in one chunk."""
    chunks, tokens = sample.chunk_ns, tokens_of(sample)
    return (chunks[-1] - chunks[0]) // (tokens - 1) if len(chunks) > 1 and tokens > 1 else None


def gaps_ns(chunk_ns: Sequence[int]) -> array[float]:
    """The time between every two chunks that follow each other, as doubles; what runs backwards is zero."""
    at = list(chunk_ns)  # once: an array makes its integers anew whenever it is read
    gaps = array("d", map(sub, at[1:], at))
    if gaps and min(gaps) < 0:
        return array("d", [max(gap, 0.0) for gap in gaps])
    return gaps


def by_second(chunk_ns: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """A request's chunks cut at whole seconds: (second, first chunk, one past the last), in order."""
    first = 0
    while first < len(chunk_ns):
        second = chunk_ns[first] // NS_PER_S
        past = len(chunk_ns)
        if chunk_ns[past - 1] // NS_PER_S != second:
            # A step even where the stamps run backwards, which a bisection may not notice.
            past = max(first + 1, bisect_left(chunk_ns, (second + 1) * NS_PER_S, first))
        yield second, first, past
        first = past


def _ttft(samples: Sequence[Sample]) -> list[int]:
    return [s.chunk_ns[0] - s.sent_ns for s in samples if s.chunk_ns and s.sent_ns is not None]


def _ttft_from_intended(samples: Sequence[Sample]) -> list[int]:
    return [s.chunk_ns[0] - s.intended_ns for s in samples if s.chunk_ns and s.intended_ns is not None]


def _e2e(samples: Sequence[Sample]) -> list[int]:
    ended = ((last_ns(s), s.sent_ns) for s in samples)
    return [last - sent for last, sent in ended if last is not None and sent is not None]


def _e2e_from_intended(samples: Sequence[Sample]) -> list[int]:
    ended = ((last_ns(s), s.intended_ns) for s in samples)
    return [last - intended for last, intended in ended if last is not None and intended is not None]


def _tpot(samples: Sequence[Sample]) -> list[int]:
    return [each for s in samples if (each := time_per_token_ns(s)) is not None]


def _request_mean_gap(samples: Sequence[Sample]) -> list[int]:
    streamed = (s.chunk_ns for s in samples if len(s.chunk_ns) > 1)
    return [(chunks[-1] - chunks[0]) // (len(chunks) - 1) for chunks in streamed]


def _queueing(samples: Sequence[Sample]) -> list[int]:
    return [s.sent_ns - start_ns(s) - connecting_ns(s) for s in samples if s.sent_ns is not None]


def _lateness(samples: Sequence[Sample]) -> list[int]:
    return [s.sent_ns - s.ready_ns - connecting_ns(s) for s in samples if s.sent_ns is not None]


def _connecting(samples: Sequence[Sample]) -> list[int]:
    return [connecting_ns(s) for s in samples if s.connect_ns is not None]


def _first_byte(samples: Sequence[Sample]) -> list[int]:
    return [
        s.first_byte_ns - s.sent_ns for s in samples if s.first_byte_ns is not None and s.sent_ns is not None
    ]


def _off_ns(sample: Sample, chunk: int) -> int:
    """By how much the time from the first byte of a request to one of its chunks may be too long."""
    unsure, off_ns = sample.unsure, sample.write_ns
    for place in range(0, len(unsure), 3):
        if unsure[place] <= chunk < unsure[place] + unsure[place + 1]:
            return off_ns + unsure[place + 2]
    return off_ns


def _late_ns(sample: Sample) -> int:
    """By how much it left too late, of the tool's own doing."""
    return (sample.sent_ns or 0) - sample.ready_ns - connecting_ns(sample)


def _lowest_ttft(samples: Sequence[Sample]) -> list[int]:
    sent = [s for s in samples if s.chunk_ns and s.sent_ns is not None]
    return [took - _off_ns(s, 0) for s, took in zip(sent, _ttft(sent), strict=True)]


def _lowest_ttft_from_intended(samples: Sequence[Sample]) -> list[int]:
    due = [s for s in samples if s.chunk_ns and s.intended_ns is not None]
    took = zip(due, _ttft_from_intended(due), strict=True)
    return [took_ns - _off_ns(s, 0) - _late_ns(s) for s, took_ns in took]


def _lowest_e2e(samples: Sequence[Sample]) -> list[int]:
    over = [s for s in samples if last_ns(s) is not None and s.sent_ns is not None]
    return [took - _off_ns(s, len(s.chunk_ns) - 1) for s, took in zip(over, _e2e(over), strict=True)]


def _lowest_e2e_from_intended(samples: Sequence[Sample]) -> list[int]:
    due = [s for s in samples if last_ns(s) is not None and s.intended_ns is not None]
    took = zip(due, _e2e_from_intended(due), strict=True)
    return [took_ns - _off_ns(s, len(s.chunk_ns) - 1) - _late_ns(s) for s, took_ns in took]


def unsure_gaps(
    unsure: Sequence[int], gaps: array[float]
) -> tuple[int, array[float], array[float], array[float]]:
    """The first gap that may have been another; the gaps from it to the last such, the least and the most
    that each was.

    unsure is `Sample.unsure`. A gap is too long where its end came earlier than it says, and too short where
    its begin did.
    """
    begin, end = max(unsure[0] - 1, 0), min(unsure[-3] + unsure[-2], len(gaps))
    off = array("d", bytes(8 * (end - begin + 1)))  # of the chunks at both ends of those gaps
    for place in range(0, len(unsure), 3):
        first, count, ns = unsure[place : place + 3]
        off[first - begin : first - begin + count] = array("d", (ns,)) * count
    seen = gaps[begin:end]
    least = array("d", map(sub, seen, off[1:]))
    if least and min(least) < 0:
        least = array("d", [max(gap, 0.0) for gap in least])
    return begin, seen, least, array("d", map(add, seen, off))


LOWEST: Mapping[str, Measure] = {
    "ttft_low": _lowest_ttft,
    "ttft_from_intended_low": _lowest_ttft_from_intended,
    "e2e_low": _lowest_e2e,
    "e2e_from_intended_low": _lowest_e2e_from_intended,
}
"""The least that those latencies were, whatever the tool did: reading, writing or, after an intended start,
sending late. They were never more."""

LATENCIES: Mapping[str, Measure] = {
    "ttft": _ttft,
    "ttft_from_intended": _ttft_from_intended,
    "tpot": _tpot,
    "request_mean_gap": _request_mean_gap,
    "e2e": _e2e,
    "e2e_from_intended": _e2e_from_intended,
}
"""Of whole, good answers; a failed request is one more that never ended. `itl`, of many, is filed apart."""

PHASES: Mapping[str, Measure] = {
    "queueing": _queueing,
    "lateness": _lateness,
    "connecting": _connecting,
    "dns": lambda samples: [s.dns_ns for s in samples if s.dns_ns is not None],
    "connect": lambda samples: [s.connect_ns for s in samples if s.connect_ns is not None],
    "tls": lambda samples: [s.tls_ns for s in samples if s.tls_ns is not None],
    "first_byte": _first_byte,
    "read_lag": lambda samples: [s.lag_ns for s in samples],
}
"""Of every request that came so far, failed or not."""
