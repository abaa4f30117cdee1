"""Numbers, amounts and remote text as all reports write them; no layout."""

from __future__ import annotations

from collections.abc import Iterable

from harpoon_cli.bench.judging.compare import Compared
from harpoon_cli.bench.judging.definitions import BY_NAME
from harpoon_cli.bench.judging.figures import Distribution, Figures, Percentile
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.domain import Money

NOTHING = "-"


def shown(text: str) -> str:
    """Text from outside on one line, with whatever could hide, reorder or control shown as an escape."""
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def number(value: float | None, digits: int = 4) -> str:
    """A number to so many significant digits, with thousands set off; a hyphen where there is none."""
    if value is None:
        return NOTHING
    if value and abs(value) < 10 ** (digits - 1):
        return f"{value:#.{digits}g}".rstrip(".")
    return f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """A number of ms to three or four digits, without its unit."""
    return number(value, 3 if value is not None and value < 1 else 4)


LATENCY_HEAD = (
    "latency in ms",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "p99, failures as ∞",
    "p99, 95 % confidence",
    "p99, bounds of reading",
)
LATENCY_NOTE = "* too few samples for a bound from above: no verdict"


def latency_row(name: str, distribution: Distribution) -> tuple[str, ...]:
    """The cells of `LATENCY_HEAD` for one latency."""
    found = [distribution.percentile(percent) for percent in (50.0, 90.0, 99.0, 99.9)]
    tail = found[2]
    cells = (NOTHING,) * 3
    if tail is not None:
        cells = (_with_failures(tail, distribution), _confidence(tail), _read_bounds(tail))
    return (title(name), *map(_percentile, found), *cells)


def _percentile(one: Percentile | None) -> str:
    if one is None or one.ms is None:
        return NOTHING
    return milliseconds(one.ms) + ("" if one.enough else "*")


def _with_failures(one: Percentile, distribution: Distribution) -> str:
    if one.with_failures_ms is None:
        return "∞" if distribution.failures else NOTHING
    return milliseconds(one.with_failures_ms)


def _confidence(one: Percentile) -> str:
    if not one.enough:
        return "too few samples"
    low = milliseconds(one.low_ms) if one.low_ms is not None else "0"
    return f"{low} … {milliseconds(one.high_ms)}"


def _read_bounds(one: Percentile) -> str:
    if one.read_low_ms is None or one.read_high_ms is None:
        return NOTHING
    return f"{milliseconds(one.read_low_ms)} … {milliseconds(one.read_high_ms)}"


def money(amount: Money | None) -> str:
    """An amount with its currency and how it is known."""
    if amount is None:
        return NOTHING
    return f"{float(amount.amount):.4g} {shown(amount.currency)} ({amount.origin.value})"


def title(name: str) -> str:
    """What a figure is called in words."""
    definition = BY_NAME.get(name)
    return definition.title if definition else name


FROM_INTENDED = "_from_intended"
"""How the names of those latencies end that only a plan of times has."""


def told_latencies(report: Report, names: Iterable[str] | None = None) -> list[tuple[str, Distribution]]:
    """The latencies of a report that there are, in the order of `names`; all where none are named.

    In a closed loop nothing has an intended start, though its failures are counted there too.
    """
    found = report.judged.latencies
    wanted = [name for name in names or found if name in found]
    if not report.run.open_loop:
        wanted = [name for name in wanted if not name.endswith(FROM_INTENDED)]
    return [(name, found[name]) for name in wanted]


def tail(figures: Figures, name: str, percent: float = 99.0) -> float | None:
    """A percentile of one latency in ms, by default the p99."""
    distribution = figures.latencies.get(name)
    one = distribution.percentile(percent) if distribution else None
    return one.ms if one else None


COMPARED_HEAD = ("figure", "old", "new", "change", "p (Holm)", "verdict")


def compared_row(one: Compared) -> tuple[str, ...]:
    """The cells of `COMPARED_HEAD` for one figure of two runs."""
    return (
        f"{one.figure}, {one.unit}",
        number(one.old),
        number(one.new),
        NOTHING if one.change_percent is None else f"{one.change_percent:+.1f} %",
        NOTHING if one.p_value is None else f"{one.p_value:.2g}",
        one.change.value,
    )
