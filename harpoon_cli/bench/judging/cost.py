"""What a run cost: its lease's seconds at its price, and that over requests and tokens, exactly. Pure."""

from __future__ import annotations

from decimal import Context, Decimal

from harpoon_cli.bench.judging.figures import Figures
from harpoon_cli.domain import Money, Price
from harpoon_cli.pricing import cost_of_lease, cost_on_receipt, cost_per_million_tokens
from harpoon_cli.values import Struct

_EXACT = Context(prec=50)


class Cost(Struct, frozen=True):
    """The lease's cost, and what of it falls to a request and to a million tokens; None of none.

    Every amount says how it is known: at a quoted price, or with estimated seconds.
    """

    price: Price
    held_s: float
    total: Money
    per_request: Money | None
    per_good_request: Money | None
    per_million_output_tokens: Money | None
    per_million_tokens: Money | None


def cost_of_run(price: Price, held_s: float, whole_run: Figures, *, measured: bool = True) -> Cost:
    """The cost of a lease of `held_s` seconds that did what `whole_run` tells.

    measured=False says that the seconds are an estimate. Only good answers count: failures are paid for by
    them.
    """
    # As on a receipt, which this is to be equal to, to the last digit.
    whole = cost_of_lease(price, held_s) if measured else cost_on_receipt(price, held_s)
    output = whole_run.output_tokens
    return Cost(
        price=price,
        held_s=held_s,
        total=whole,
        per_request=_each(whole, whole_run.completed),
        per_good_request=None if whole_run.good is None else _each(whole, whole_run.good),
        per_million_output_tokens=cost_per_million_tokens(whole, output),
        per_million_tokens=cost_per_million_tokens(whole, output + whole_run.input_tokens),
    )


def _each(whole: Money, count: int) -> Money | None:
    if count <= 0:
        return None
    return Money(_EXACT.divide(whole.amount, Decimal(count)), whole.currency, whole.origin)
