"""Marks the steady part of a run: after the warm-up, given or found, before the last requests drain."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from harpoon_cli.bench.planning.warmup import WarmUp
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.statistics.warmup import settled_from
from harpoon_cli.values import Struct


class Steady(Struct, frozen=True):
    """The steady part, and how it was marked, in words."""

    window: Window
    marked: str


def steady_part(recorder: Recorder, warm_up: WarmUp) -> Steady | None:
    """The steady part after a warm-up, in whole slices; None where nothing is left out or nothing is left
    over.

    A warm-up that is to be detected is looked for in what each slice answered and in the mean latency of what
    began in it: both have to have settled.
    """
    if warm_up.detected:
        start_s = _settled_s(recorder)
        return None if start_s is None else _steady(recorder, start_s, "the warm-up was found by MSER")
    if warm_up.first_s is not None:
        return _steady(recorder, ceil(warm_up.first_s), f"the first {warm_up} were given as warm-up")
    if warm_up.first_requests is not None:
        start_s = _second_after(recorder, warm_up.first_requests)
        return _steady(recorder, start_s, f"the first {warm_up} requests were given as warm-up")
    return None


def _settled_s(recorder: Recorder) -> int | None:
    width, end_s = recorder.slices.width_s, last_start_s(recorder)
    starts = range(0, end_s - width + 1, width)
    ended = [float(recorder.seconds.of("completed", at, at + width)) for at in starts]
    latency = dict(recorder.slices.of("e2e"))
    means = [latency[at].ranks().mean for at in starts if at in latency]
    settled = [settled_from(ended), settled_from(_known(means))]
    if None in settled:
        return None
    return width * max(place for place in settled if place is not None)


def _second_after(recorder: Recorder, requests: int) -> int:
    began = 0
    for second, count in enumerate(recorder.seconds.columns["started"]):
        if began >= requests:
            return second
        began += count
    return len(recorder.seconds.columns["started"])


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _steady(recorder: Recorder, start_s: int, marked: str) -> Steady | None:
    width = recorder.slices.width_s
    start_s = -(-start_s // width) * width
    end_s = last_start_s(recorder) // width * width
    return Steady(Window(start_s, end_s), marked) if end_s > start_s else None


def last_start_s(recorder: Recorder) -> int:
    """The second in which the last request was to start."""
    # The last second in which requests began may be cut short: it is left out, and so is all after it.
    started = recorder.seconds.columns["started"]
    return max((second for second, count in enumerate(started) if count), default=0)
