"""How an amount of money is written wherever a person reads it; rounds what is told, never what counts."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

_EXACT = Context(prec=50)
_PLAIN_MAGNITUDES = range(-9, 15)
"""The powers of ten that are written out; beyond them an amount is in scientific notation."""

_MOST_PLACES = 15


def told(value: Decimal, currency: str) -> str:
    """To the cent, or to two significant digits where it is less: $12.50, $0.00055, 3.00 EUR."""
    return _named(_digits(value, _places(value)), currency)


def told_exactly(value: Decimal, currency: str) -> str:
    """With every digit that it has, and to the cent at least: what somebody has set, $0.125."""
    exponent = value.normalize(_EXACT).as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return _named(_digits(value, min(_MOST_PLACES, max(2, places))), currency)


def told_above(value: Decimal, limit: Decimal, currency: str) -> str:
    """As `told`, with as many digits more as it takes to be seen as more than `limit`."""
    places = _places(value)
    while places < _MOST_PLACES and _rounded(value, places) <= limit < value:
        places += 1
    return _named(_digits(value, places), currency)


def _places(value: Decimal) -> int:
    return max(2, 1 - value.adjusted()) if value and value.is_finite() else 2  # two significant digits


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _EXACT)


def _named(digits: str, currency: str) -> str:
    sign = "-" if digits.startswith("-") else ""
    digits = digits.removeprefix("-")
    return f"{sign}${digits}" if currency == "USD" else f"{sign}{digits} {currency}"


def _digits(value: Decimal, places: int) -> str:
    if not value.is_finite() or (value and value.adjusted() not in _PLAIN_MAGNITUDES):
        return f"{value:.1E}" if value.is_finite() else str(value)
    whole, _, fraction = f"{_rounded(value, places) or Decimal(0):,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
