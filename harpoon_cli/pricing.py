"""Turns lease seconds and tokens into money, exactly, and says how each amount is known; it prints nothing.

All arithmetic is decimal, to 50 significant digits; no amount that counts is rounded to cents. Amounts in
different currencies are never added or compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from functools import reduce

from harpoon_cli.amounts import told, told_above, told_exactly
from harpoon_cli.domain import Model, Money, Origin, Price
from harpoon_cli.errors import ConfigurationFault, CostCeilingReached

_EXACT = Context(prec=50)
_SECONDS_PER_HOUR = Decimal(3600)
_MILLION = Decimal(1_000_000)
_ON_RECEIPT, _ROOMY = Decimal("1e-12"), Context(prec=200)
_CERTAINTY = (Origin.ESTIMATED, Origin.QUOTED, Origin.MEASURED, Origin.BILLED)
"""From the least to the most certain; a sum is as certain as its least certain part."""


def cost_of_lease(price: Price, seconds: float | Decimal, *, measured: bool = True) -> Money:
    """What `seconds` (finite, not negative) of a lease cost at `price`.

    measured=False says that the seconds are an estimate, and makes the amount one. A platform may bill by the
    started minute or hour: only its bill knows.
    """
    amount = _EXACT.divide(_EXACT.multiply(price.per_hour, _exactly(seconds)), _SECONDS_PER_HOUR)
    return Money(amount, price.currency, price.origin if measured else Origin.ESTIMATED)


def cost_on_receipt(price: Price, seconds: float | Decimal) -> Money:
    """What a lease that was held for measured `seconds` cost by its price: estimated, for only a bill knows.

    To a trillionth, half to even: amounts of a receipt, printed in full, add up to exactly their total.
    """
    exact = cost_of_lease(price, seconds)
    amount = exact.amount.quantize(_ON_RECEIPT, ROUND_HALF_EVEN, _ROOMY).normalize(_ROOMY)
    return Money(amount, price.currency, Origin.ESTIMATED)


def seconds_affordable(price: Price, max_cost: Decimal) -> int | None:
    """The whole seconds of a lease that `max_cost`, in the price's currency, pays for; None: no limit."""
    if price.per_hour <= 0:
        return None
    seconds = _EXACT.divide(_EXACT.multiply(max_cost, _SECONDS_PER_HOUR), price.per_hour)
    return max(0, int(seconds.to_integral_value(ROUND_FLOOR)))


def check_ceiling(price: Price | None, ttl_s: int, max_cost: Decimal) -> Money:
    """The worst case of a lease: all of its `ttl_s` seconds, estimated.

    Raises CostCeilingReached where that exceeds `max_cost` (in the price's currency), or where no price is
    known, so that the ceiling could not be kept.
    """
    if price is None:
        raise CostCeilingReached(
            "the pool names no price, so a ceiling on the cost cannot be kept",
            hint="choose a pool with a price (see: harpoon pools), or leave out --max-cost",
        )
    worst = cost_of_lease(price, ttl_s, measured=False)
    if worst.amount > max_cost:
        affordable = seconds_affordable(price, max_cost)
        raise CostCeilingReached(
            f"{ttl_s} s at {told(price.per_hour, price.currency)} an hour may cost "
            f"{told_above(worst.amount, max_cost, price.currency)}, more than the "
            f"{told_exactly(max_cost, price.currency)} allowed",
            hint=f"the ceiling pays for {affordable} s: lower --ttl or raise --max-cost",
        )
    return worst


def cost_of_tokens(
    model: Model, prompt_tokens: int, answer_tokens: int, *, origin: Origin = Origin.ESTIMATED
) -> Money | None:
    """What the tokens cost by the model's entry, in USD; None where it lacks a price that is needed."""
    priced = ((prompt_tokens, model.usd_per_million_input), (answer_tokens, model.usd_per_million_output))
    amounts = []
    for tokens, per_million in priced:
        if tokens and per_million is None:
            return None
        amounts.append(_EXACT.divide(_EXACT.multiply(Decimal(tokens), per_million or Decimal(0)), _MILLION))
    return Money(_EXACT.add(*amounts), "USD", origin)


def total(first: Money, *others: Money) -> Money:
    """The sum, as certain as its least certain part. Raises ConfigurationFault for mixed currencies."""
    return reduce(_add, others, first)


def totals(parts: Iterable[Money]) -> tuple[Money, ...]:
    """The sum in each currency, in the order in which the currencies come."""
    by_currency: dict[str, Money] = {}
    for part in parts:
        known = by_currency.get(part.currency)
        by_currency[part.currency] = part if known is None else _add(known, part)
    return tuple(by_currency.values())


def cost_per_million_tokens(cost: Money, tokens: int) -> Money | None:
    """`cost` spread over `tokens`, for a million of them; None for no tokens."""
    if tokens <= 0:
        return None
    return Money(
        _EXACT.divide(_EXACT.multiply(cost.amount, _MILLION), Decimal(tokens)), cost.currency, cost.origin
    )


def _add(one: Money, other: Money) -> Money:
    if one.currency != other.currency:
        raise ConfigurationFault(
            f"{one.currency} and {other.currency} cannot be added",
            hint="price the models in the currency of the platform, or leave their prices out",
        )
    return Money(
        _EXACT.add(one.amount, other.amount),
        one.currency,
        min(one.origin, other.origin, key=_CERTAINTY.index),
    )


def _exactly(seconds: float | Decimal) -> Decimal:
    # By its shortest decimal form: 0.1 s is a tenth, not the binary fraction next to it.
    exact = Decimal(str(seconds))
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"a duration is finite and not negative, not {seconds}")
    return exact
