"""Whether a new run is worse than an old one: by more than chance, and by more than is allowed. Pure.

A latency's percentile: the share of all gaps or requests of each run that exceed the pooled percentile is
compared, slice by slice of time, by re-dealing the slices between the runs (`statistics.permutation`);
failures count as exceeding. Rates and errors: the same with what each slice counted. Slices, not single
samples, are dealt, since samples of one moment share its fate; so runs of a few seconds give no verdict. The
p-values are corrected for how many figures are compared (Holm). Costs follow from rates and are shown without
a test.

Both runs' steady parts are compared where both mark one, else all of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from harpoon_cli.bench.judging.definitions import BY_NAME, Better
from harpoon_cli.bench.judging.figures import Figures, figures
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.verdict import FAILED, NOT_KNOWN, PASSED, Validity
from harpoon_cli.bench.recording.kept import RequestLimits
from harpoon_cli.bench.recording.recorder import Recorder, from_recording
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.statistics.histogram import Ranks, merged
from harpoon_cli.bench.statistics.permutation import difference_of_shares, holm
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

SIGNIFICANT = 0.05

_LATENCIES = ("ttft", "itl", "tpot", "e2e", "ttft_from_intended", "e2e_from_intended")
_PERCENTILES_PPM = (500_000, 900_000, 990_000)

Pairs = list[tuple[float, float]]
Windows = tuple[Window | None, Window | None]


class Change(StrEnum):
    """What became of a figure."""

    SAME = "no difference shown"
    BETTER = "better"
    WORSE = "worse, within what is allowed"
    REGRESSED = "regressed"
    UNDECIDED = "not known: too few samples"
    UNTESTED = "not tested"


class Compared(Struct, frozen=True):
    """One figure of both runs. change_percent: of new over old, None where old is 0 or one is not there.

    p_value: corrected for the number of figures; None where there is no test.
    """

    figure: str
    unit: str
    old: float | None
    new: float | None
    change_percent: float | None
    p_value: float | None
    change: Change


class Comparison(Struct, frozen=True):
    """All figures of both runs; regressed and undecided ones by name; what makes the comparison doubtful.

    max_regression is in per cent. passed: nothing regressed, and both runs can be believed.
    """

    old: str
    new: str
    max_regression: float
    figures: tuple[Compared, ...]
    regressed: tuple[str, ...]
    undecided: tuple[str, ...]
    warnings: tuple[str, ...]
    passed: bool

    @property
    def outcome(self) -> str:
        """In words; not known: nothing is shown to be worse, but some figures have too few samples."""
        return FAILED if not self.passed else NOT_KNOWN if self.undecided else PASSED


class _Tested(Struct, frozen=True):
    figure: str
    unit: str
    better: Better
    old: float | None
    new: float | None
    p_value: float | None
    enough: bool = True


def compare(
    old: Report, new: Report, *, max_regression: float = 0.0, names: tuple[str, str] = ("old", "new")
) -> Comparison:
    """Both runs figure by figure. max_regression: by how many per cent a figure may be worse.

    `UsageFault` where a report holds no recording to compare.
    """
    one, other = _with_equal_slices(_recorder(old, names[0]), _recorder(new, names[1]))
    windows = _windows(old, new)
    found = (figures(one, windows[0]), figures(other, windows[1]))
    tested = [*_latencies(one, other, windows, found), *_numbers(one, other, windows, found)]
    corrected = iter(holm([each.p_value for each in tested if each.p_value is not None]))
    p_values = [None if each.p_value is None else next(corrected) for each in tested]
    compared = [_compared(each, p, max_regression) for each, p in zip(tested, p_values, strict=True)]
    compared += _costs(old, new)
    regressed = tuple(each.figure for each in compared if each.change is Change.REGRESSED)
    believed = all(report.verdict.validity is Validity.VALID for report in (old, new))
    return Comparison(
        old=names[0],
        new=names[1],
        max_regression=max_regression,
        figures=tuple(compared),
        regressed=regressed,
        undecided=tuple(each.figure for each in compared if each.change is Change.UNDECIDED),
        warnings=tuple(_warnings(old, new, names)),
        passed=believed and not regressed,
    )


def _recorder(report: Report, name: str) -> Recorder:
    if report.recording is None:
        raise UsageFault(
            f"{name} holds no recording to compare",
            hint="run it again with --out: only that file has what is compared",
        )
    return from_recording(report.recording)


def _with_equal_slices(one: Recorder, other: Recorder) -> tuple[Recorder, Recorder]:
    for narrow, wide in ((one, other), (other, one)):
        while narrow.slices.width_s < wide.slices.width_s:
            narrow.slices.widen()
    return one, other


def _windows(old: Report, new: Report) -> Windows:
    if old.steady is None or new.steady is None:
        return None, None
    return _window(old.steady), _window(new.steady)


def _window(steady: Figures) -> Window:
    return Window(int(steady.from_s), int(steady.to_s))


def _latencies(
    old: Recorder, new: Recorder, windows: Windows, found: tuple[Figures, Figures]
) -> Iterator[_Tested]:
    for name in _LATENCIES:
        sides = [
            [kept.ranks() for _, kept in recorder.slices.of(name, window)]
            for recorder, window in zip((old, new), windows, strict=True)
        ]
        both = [
            recorder.histogram(name, window) for recorder, window in zip((old, new), windows, strict=True)
        ]
        if not all(histogram.counts for histogram in both):
            continue
        pooled = merged(both).ranks()
        for ppm in _PERCENTILES_PPM:
            values = [histogram.ranks().percentile(ppm, failures=True) for histogram in both]
            limit = pooled.percentile(ppm, failures=True)
            pairs = [_exceeding(slices, limit) for slices in sides]
            yield _Tested(
                figure=f"{name}_p{ppm / 10_000:g}",
                unit="ms",
                better=Better.LOWER,
                old=_in_ms(values[0]),
                new=_in_ms(values[1]),
                p_value=difference_of_shares(*pairs),
                enough=all(_enough(one, name, ppm) for one in found),
            )


def _enough(found: Figures, name: str, ppm: int) -> bool:
    """Whether there are samples enough for a bound on a percentile from above."""
    one = found.latencies[name].percentile(ppm / 10_000)
    return one is not None and (one.enough or one.with_failures_ms is None)


def _exceeding(slices: Sequence[Ranks], limit_ns: float | None) -> Pairs:
    limit_ns = limit_ns or 0.0
    return [(one.count_above(limit_ns) + one.infinite, one.finite + one.infinite) for one in slices]


def _in_ms(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6


def _numbers(
    old: Recorder, new: Recorder, windows: Windows, found: tuple[Figures, Figures]
) -> Iterator[_Tested]:
    same_limits = old.limits == new.limits and old.limits != RequestLimits()
    for name, part in _PARTS.items():
        if name.startswith("goodput") and not same_limits:
            continue
        pairs = [part(recorder, window) for recorder, window in zip((old, new), windows, strict=True)]
        definition = BY_NAME[name]
        yield _Tested(
            figure=name,
            unit=definition.unit,
            better=definition.better,
            old=getattr(found[0].rates, name),
            new=getattr(found[1].rates, name),
            p_value=difference_of_shares(*pairs),
        )


def _by_slice(*columns: str) -> Callable[[Recorder, Window | None], Pairs]:
    # Of each whole slice: the sum of the columns, and its length.
    def pairs(recorder: Recorder, window: Window | None) -> Pairs:
        width = recorder.slices.width_s
        last_s = recorder.last_ns // 1_000_000_000
        start_s, end_s = (window.start_s, window.end_s) if window else (0, last_s)
        return [
            (float(sum(recorder.seconds.of(column, at, at + width) for column in columns)), float(width))
            for at in range(start_s, end_s - width + 1, width)
        ]

    return pairs


def _share(part: str, *whole: str) -> Callable[[Recorder, Window | None], Pairs]:
    def pairs(recorder: Recorder, window: Window | None) -> Pairs:
        parts, wholes = _by_slice(part)(recorder, window), _by_slice(*whole)(recorder, window)
        return [(one[0], all_of[0]) for one, all_of in zip(parts, wholes, strict=True)]

    return pairs


_PARTS: dict[str, Callable[[Recorder, Window | None], Pairs]] = {
    "requests_per_s": _by_slice("completed"),
    "output_tokens_per_s": _by_slice("output_tokens"),
    "goodput": _share("good", "completed", "failed"),
    "error_rate": _share("failed", "completed", "failed"),
}


def _compared(tested: _Tested, p_value: float | None, max_regression: float) -> Compared:
    change = change_percent(tested.old, tested.new)
    return Compared(
        figure=tested.figure,
        unit=tested.unit,
        old=_finite(tested.old),
        new=_finite(tested.new),
        change_percent=change,
        p_value=p_value,
        change=_change(tested, p_value, change, max_regression),
    )


def _finite(value: float | None) -> float | None:
    return None if value in (None, float("inf")) else value


def change_percent(old: float | None, new: float | None) -> float | None:
    """By how many per cent of the old the new is more; None where that is no number."""
    if old is None or new is None or not old or float("inf") in (old, new):
        return None
    return 100 * (new - old) / old


def _change(tested: _Tested, p_value: float | None, change: float | None, allowed: float) -> Change:
    if p_value is None:
        return Change.UNDECIDED
    if p_value >= SIGNIFICANT or tested.old is None or tested.new is None or tested.old == tested.new:
        return Change.SAME if tested.enough else Change.UNDECIDED
    if (tested.new < tested.old) == (tested.better is Better.LOWER):
        return Change.BETTER
    # Without a percentage it came from nothing or went to infinity, which is more than any per cent.
    return Change.REGRESSED if change is None or abs(change) > allowed else Change.WORSE


def _costs(old: Report, new: Report) -> Iterator[Compared]:
    if old.cost is None or new.cost is None or old.cost.total.currency != new.cost.total.currency:
        return
    for name in ("per_request", "per_million_output_tokens", "per_million_tokens"):
        amounts = [getattr(cost, name) for cost in (old.cost, new.cost)]
        if all(amount is not None for amount in amounts):
            values = [float(amount.amount) for amount in amounts]
            change = change_percent(*values)
            currency = old.cost.total.currency
            yield Compared(f"cost_{name}", currency, values[0], values[1], change, None, Change.UNTESTED)


def _warnings(old: Report, new: Report, names: tuple[str, str]) -> Iterator[str]:
    for report, name in zip((old, new), names, strict=True):
        if report.verdict.validity is not Validity.VALID:
            yield f"{name} is {report.verdict.validity.value}: its figures cannot be believed"
    for what in ("model", "load", "work", "dialect"):
        had, has = getattr(old.run, what), getattr(new.run, what)
        if had != has:
            yield f"the runs differ in their {what}: {had!r} and {has!r}"
    if old.recording and new.recording and old.recording.limits != new.recording.limits:
        yield "the runs have different limits for a good request: goodput is not compared"
