"""What one engine process is sent to do, and how its samples come back; values and bytes, no I/O.

What travels is pickled, between a parent and the child it has started, over pipes that nobody else can reach.
"""

from __future__ import annotations

import marshal
import pickle
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.sample import Counted, Sample, Shot
from harpoon_cli.errors import HarpoonError
from harpoon_cli.values import Struct

PREFIX = struct.Struct("!Q")
"""Before an errand: how many bytes it has."""

LENGTH = struct.Struct("!cQ")
"""Before each message: its kind, and how many bytes it has."""

SAMPLES, WATCH, ERROR = b"s", b"w", b"e"

BEAT_MESSAGE = LENGTH.pack(b"b", 0)
"""What a process sends that has nothing else to tell: its loop goes round."""


class Errand(Struct, frozen=True):
    """One process's part of a run; the fields are `fire`'s. Everything in it can be pickled.

    shots makes the shots, in the process that fires them.
    """

    target: Target
    shots: Callable[[], Iterable[Shot]]
    deadline_s: float
    concurrency: int | None = None
    ends_s: float | None = None
    grace_s: float = 0.0
    start_ns: int | None = None
    count_tokens: Callable[[str], int] | None = None
    kernel_stamps: bool = True


def errand_message(errand: Errand) -> bytes:
    """What a worker reads first. A part that cannot be pickled is a mistake of ours."""
    content = pickle.dumps(errand)
    return PREFIX.pack(len(content)) + content


_NAMES = Sample.__struct_fields__
_VALUES = attrgetter(*_NAMES)
_ARRAYS, _COUNTED = (_NAMES.index("chunk_ns"), _NAMES.index("unsure")), _NAMES.index("counted")
_SOURCES = tuple(Counted)


def samples_message(samples: Sequence[Sample]) -> bytes:
    """A message with these samples. Marshalled, since at full rate pickling would cost more than firing."""
    rows: list[tuple[object, ...]] = []
    for sample in samples:
        row = list(_VALUES(sample))
        for place in _ARRAYS:
            row[place] = row[place].tobytes()
        row[_COUNTED] = _SOURCES.index(sample.counted)
        rows.append(tuple(row))
    return _message(SAMPLES, marshal.dumps(rows))


def samples_in(content: bytes) -> Iterator[Sample]:
    """The samples of a message's content."""
    for row in marshal.loads(content):  # noqa: S302 - from a child of ours
        values = list(row)
        for place in _ARRAYS:
            values[place] = array("q", values[place])
        values[_COUNTED] = _SOURCES[values[_COUNTED]]
        yield Sample(*values)


def watch_in(content: bytes) -> Watch:
    """The watch of a message's content."""
    watch: Watch = pickle.loads(content)  # noqa: S301 - from a child of ours
    return watch


def error_in(content: bytes) -> HarpoonError:
    """The error of a message's content."""
    kind, message, hint = pickle.loads(content)  # noqa: S301 - from a child of ours
    error: HarpoonError = kind(message, hint=hint)
    return error


def watch_message(watch: Watch) -> bytes:
    """The last message of a run that went to its end."""
    return _message(WATCH, pickle.dumps(watch))


def error_message(error: HarpoonError) -> bytes:
    """The last message of a run that could not be."""
    return _message(ERROR, pickle.dumps((type(error), error.message, error.hint)))


def _message(kind: bytes, content: bytes) -> bytes:
    return LENGTH.pack(kind, len(content)) + content
