"""What a run or a request has to keep: reads `ttft_p99=500ms,goodput=95%`, and names what was missed. Pure.

A threshold on a latency is on its percentile (`ttft_p99`) or mean (`ttft_mean`) with failures as infinite,
and at the same time a limit that a good request keeps by itself; `ttft=500ms` is only the latter. Other
figures (`requests_per_s=40`, `error_rate=1%`) have no percentile. Whether a figure must stay below or above
follows from its definition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import inf

from harpoon_cli.bench.judging.definitions import BY_NAME, DEFINITIONS, Better, Definition
from harpoon_cli.bench.planning.quantities import seconds
from harpoon_cli.bench.recording.kept import RequestLimits
from harpoon_cli.bench.statistics.histogram import MILLION
from harpoon_cli.bench.statistics.intervals import fewest_for
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

LONGEST_TEXT = 2_000

_STATISTIC = re.compile(
    r"(?P<name>[a-z_0-9]+?)_(?P<statistic>mean|p(?P<percent>[0-9]{1,2}(?:\.[0-9]{1,3})?))"
)
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?%?")

_OF_A_REQUEST = {"ttft": "ttft_ns", "itl": "gap_ns", "tpot": "tpot_ns", "e2e": "e2e_ns"}


class Standing(StrEnum):
    """How a figure stands against its threshold."""

    KEPT = "kept"
    MISSED = "missed"
    UNDECIDED = "undecided"


class Threshold(Struct, frozen=True):
    """One limit. ppm: which percentile, in millionths; None with statistic "mean", "each" or "" (a number).

    limit is in the unit of the figure's definition: milliseconds, 1/s, per cent.
    """

    text: str
    name: str
    statistic: str
    ppm: int | None
    limit: float

    @property
    def definition(self) -> Definition:
        return BY_NAME[self.name]

    @property
    def figure(self) -> str:
        """What messages call the figure: "ttft_p99"."""
        return self.name if self.statistic in ("", "each") else f"{self.name}_{self.statistic}"


class Measured(Struct, frozen=True):
    """A figure as a threshold sees it. None: nothing was measured; infinite: failures stand there.

    enough=False: too few samples for a verdict; needed is then how many there must be, if that is known.
    requests: how many a share is of, None where it is no share of requests.
    """

    value: float | None
    enough: bool = True
    needed: int | None = None
    requests: int | None = None


class Check(Struct, frozen=True):
    """A threshold beside what was measured (None: nothing, or failures stand there), and why it stands so."""

    figure: str
    limit: float
    unit: str
    measured: float | None
    standing: Standing
    sentence: str


def parse(text: str) -> tuple[Threshold, ...]:
    """The thresholds in `NAME=LIMIT,NAME=LIMIT`. `UsageFault` names the piece that is not understood."""
    if len(text) > LONGEST_TEXT:
        raise UsageFault(f"--slo is longer than {LONGEST_TEXT} characters", hint="name fewer figures")
    thresholds = tuple(_threshold(piece.strip()) for piece in text.split(","))
    names = [threshold.figure for threshold in thresholds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageFault(f"--slo: {twice[0]} is given twice", hint="name each figure once")
    return thresholds


def _threshold(piece: str) -> Threshold:
    name, equals, limit = piece.partition("=")
    name, statistic, percent = _figure(name.strip())
    definition = BY_NAME.get(name)
    if not equals or definition is None or definition.better is Better.NEITHER:
        raise _unknown(piece)
    if definition.distribution and not statistic and name not in _OF_A_REQUEST:
        raise UsageFault(f"--slo: {piece!r} names no percentile", hint=f"for example {name}_p99=500ms")
    if statistic and not definition.distribution:
        raise UsageFault(f"--slo: {name} has no percentiles", hint=f"for example {name}=10")
    ppm = round(float(percent) * MILLION / 100) if percent else None
    if ppm == 0:
        raise UsageFault(f"--slo: {piece!r}: there is no percentile 0", hint="for example ttft_p50=200ms")
    kind = f"p{float(percent):g}" if percent else statistic or ("each" if definition.distribution else "")
    return Threshold(piece, name, kind, ppm, _limit(definition, limit.strip(), piece))


def _figure(name: str) -> tuple[str, str, str | None]:
    named = _STATISTIC.fullmatch(name)
    if name in BY_NAME or named is None:
        return name, "", None
    return named["name"], named["statistic"], named["percent"]


def _limit(definition: Definition, text: str, piece: str) -> float:
    if definition.unit == "ms":
        try:
            return seconds(text if text[-1:].isalpha() else f"{text} without a unit") * 1000
        except ValueError as cause:
            raise UsageFault(f"--slo: {piece!r}: {text!r} {cause}", hint="for example 500ms or 2s") from cause
    if not _NUMBER.fullmatch(text) or (text.endswith("%") and definition.unit != "%"):
        raise UsageFault(f"--slo: {piece!r}: {text!r} is not a number", hint=_example(definition))
    return float(text.rstrip("%"))


def _example(definition: Definition) -> str:
    return f"for example {definition.name}={'95%' if definition.unit == '%' else '40'}"


def _unknown(piece: str) -> UsageFault:
    known = [one.name for one in DEFINITIONS if one.better is not Better.NEITHER]
    return UsageFault(
        f"--slo: {piece!r} is not FIGURE=LIMIT",
        hint=f"for example ttft_p99=500ms; figures: {', '.join(known)}",
    )


def request_limits(thresholds: Sequence[Threshold]) -> RequestLimits:
    """What a single request keeps to be good: of several limits on one latency, the widest.

    A request has one TTFT, not a distribution, so only the limit counts, not the percentile; a mean over all
    requests says nothing of one of them.
    """
    limits: dict[str, int] = {}
    for threshold in thresholds:
        field = _OF_A_REQUEST.get(threshold.name)
        if field is not None and threshold.statistic != "mean":
            limits[field] = max(limits.get(field, 0), round(threshold.limit * 1_000_000))
    return RequestLimits(**limits)


def evaluate(thresholds: Sequence[Threshold], figures: Mapping[str, Measured]) -> tuple[Check, ...]:
    """How every threshold of the whole run stands, given the figures by their `Threshold.figure`."""
    whole_run = (threshold for threshold in thresholds if threshold.statistic != "each")
    return tuple(_check(threshold, figures.get(threshold.figure, Measured(None))) for threshold in whole_run)


def _check(threshold: Threshold, measured: Measured) -> Check:
    definition, value = threshold.definition, measured.value
    wanted = f"{threshold.limit:g} {definition.unit}"
    needed = _needed(threshold, measured)
    if value is None:
        standing, said = Standing.UNDECIDED, "not known: nothing was measured"
    elif value == inf:
        standing, said = Standing.MISSED, f"failed requests stand there, {wanted} allowed"
    elif definition.better is Better.LOWER and value > threshold.limit:
        standing, said = Standing.MISSED, f"{value:.4g} {definition.unit}, {wanted} allowed"
    elif definition.better is Better.HIGHER and value < threshold.limit:
        standing, said = Standing.MISSED, f"{value:.4g} {definition.unit}, {wanted} wanted"
    elif needed is not None:
        standing = Standing.UNDECIDED
        said = f"not known: {value:.4g} {definition.unit}, but of too few samples{_of(needed)}"
    else:
        standing, said = Standing.KEPT, f"{value:.4g} {definition.unit}, within {wanted}"
    shown = value if value is not None and value != inf else None
    sentence = f"{threshold.figure}: {said}"
    return Check(threshold.figure, threshold.limit, definition.unit, shown, standing, sentence)


def _needed(threshold: Threshold, measured: Measured) -> int | None:
    """How many samples a verdict that all is well needs, where there are fewer; 0 where that is not known.

    "95 % of the requests are good" is a statement about a 95th percentile, and needs as many samples as one.
    A limit that no request may miss has no percentile: there all that were seen count.
    """
    if measured.requests is None:
        return None if measured.enough else measured.needed or 0
    higher = threshold.definition.better is Better.HIGHER
    ppm = round((threshold.limit if higher else 100 - threshold.limit) * MILLION / 100)
    needed = fewest_for(ppm) if 0 < ppm < MILLION else 1
    return needed if measured.requests < needed else None


def _of(needed: int) -> str:
    return f", at least {needed:,} independent ones are needed" if needed else ""
