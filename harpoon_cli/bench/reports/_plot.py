"""Line plots as SVG, small and without any script; it knows nothing of what is plotted.

Colours and line styles are classes (`s0`, `s1`, …), which the page gives; each series has its own dashes too,
so that none is told by its colour alone. A plot has its title and a description in words for those who cannot
see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10

from harpoon_cli.bench.reports._markup import Markup, element, joined
from harpoon_cli.values import Struct

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 30, 44
_MOST_TICKS = 7
_MOST = 1e15
"""A number as large as this, or infinite, or none at all, is not drawn."""


class Series(Struct, frozen=True):
    """A named line. marks: (place of a point, text beside it); where there are any, points are dotted."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: Sequence[tuple[int, str]] = ()


class Axis(Struct, frozen=True):
    """What an axis shows; least: where it begins at the latest, for an axis that is not logarithmic."""

    label: str
    logarithmic: bool = False
    least: float | None = None


class _Scale(Struct, frozen=True):
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = log10(max(value, low)), log10(low), log10(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.logarithmic else _steps(self.low, self.high)


def plot(
    name: str,
    title: str,
    description: str,
    series: Sequence[Series],
    axes: tuple[Axis, Axis],
    shaded: tuple[float, float] | None = None,
) -> Markup | None:
    """A plot; None where there is nothing to draw. `name` is its id, unique on the page.

    shaded: a part of the horizontal axis to set off.
    """
    drawn = [Series(one.name, _drawable(one.points, axes), one.marks) for one in series]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return None
    across = _scale([x for one in drawn for x, _ in one.points], axes[0], _LEFT, WIDTH - _RIGHT)
    up = _scale([y for one in drawn for _, y in one.points], axes[1], HEIGHT - _BOTTOM, _TOP)
    parts = [
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-words"),
        *_shade(shaded, across),
        *_grid(across, up, axes),
        *(part for place, one in enumerate(drawn) for part in _line(one, place, across, up)),
        *_legend(drawn),
    ]
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-words",
        class_="plot",
    )


def _drawable(points: Sequence[tuple[float, float]], axes: tuple[Axis, Axis]) -> list[tuple[float, float]]:
    def fits(point: tuple[float, float]) -> bool:
        pairs = zip(point, axes, strict=True)
        return all(
            abs(value) < _MOST and (value > 1 / _MOST or not axis.logarithmic) for value, axis in pairs
        )

    return [point for point in points if fits(point)]


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    if axis.logarithmic:
        low, high = _round(low, up=False), _round(high, up=True)
        return _Scale(low, high if high > low else 2 * low, start, end, logarithmic=True)
    low = low if axis.least is None else min(low, axis.least)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1 / _MOST):
        margin = max(0.5, abs(high) / 100)
        low, high = low - (margin if axis.least is None else 0.0), high + margin
    return _Scale(low, high, start, end, logarithmic=False)


def _round(value: float, *, up: bool) -> float:
    # To the next 1, 2 or 5 times a power of ten.
    unit = 10.0 ** floor(log10(value))
    rounded = [unit * factor for factor in (1, 2, 5, 10)]
    if up:
        return next(each for each in rounded if each >= value * 0.999)
    return next(each for each in reversed(rounded) if each <= value * 1.001)


def _steps(low: float, high: float) -> list[float]:
    rough = (high - low) / _MOST_TICKS
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1, 2, 5) if len(exponents) < 6 else (1,)
    ticks = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: max(1, ceil(len(inside) / (2 * _MOST_TICKS)))]


def _shade(shaded: tuple[float, float] | None, across: _Scale) -> Iterator[Markup]:
    if shaded is not None:
        left, right = (across.at(min(max(value, across.low), across.high)) for value in shaded)
        height = HEIGHT - _BOTTOM - _TOP
        yield element("rect", x=left, y=_TOP, width=max(right - left, 0), height=height, class_="shade")


def _grid(across: _Scale, up: _Scale, axes: tuple[Axis, Axis]) -> Iterator[Markup]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for tick in up.ticks():
        y = up.at(tick)
        yield element("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="grid")
        yield element("text", _tick(tick), x=_LEFT - 6, y=y + 4, class_="end")
    for tick in across.ticks():
        x = across.at(tick)
        yield element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis")
        yield element("text", _tick(tick), x=x, y=bottom + 18, class_="middle")
    yield element("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, class_="axis")
    yield element("text", axes[0].label, x=(_LEFT + right) / 2, y=HEIGHT - 6, class_="middle")
    yield element("text", axes[1].label, x=4, y=16)


def _tick(value: float) -> str:
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k" if abs(value) < 1e6 else f"{value / 1e6:g}M"
    return f"{value:g}" if abs(value) >= 1e-3 else f"{value:.0e}"


def _line(series: Series, place: int, across: _Scale, up: _Scale) -> Iterator[Markup]:
    at = [(across.at(x), up.at(y)) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    yield element("polyline", points=path, class_=f"line s{place % 6}")
    if series.marks or len(at) == 1:
        for x, y in at:
            yield element("circle", cx=x, cy=y, r=3.5, class_=f"dot s{place % 6}")
    for number, text in series.marks:
        if number < len(at):
            x, y = at[number]
            right = x > WIDTH * 0.7  # so that it does not leave the drawing
            yield element(
                "text", text, x=x if right else x - 4, y=y - 8, class_="mark end" if right else "mark"
            )


def _legend(series: Sequence[Series]) -> Iterator[Markup]:
    left = WIDTH - _RIGHT - sum(46 + 7 * len(one.name) for one in series)
    for place, one in enumerate(series):
        yield element("line", x1=left, x2=left + 24, y1=12, y2=12, class_=f"line s{place % 6}")
        yield element("text", one.name, x=left + 30, y=16)
        left += 46 + 7 * len(one.name)


def figure(drawing: Markup | None, caption: str) -> Markup:
    """A plot with its caption; nothing where there is no plot."""
    if drawing is None:
        return joined([])
    return element("figure", drawing, element("figcaption", caption))
