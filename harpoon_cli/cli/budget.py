"""How much of routing's budget is spent, by the ledger's costs; it stops nothing and leases nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Money, Origin
from harpoon_cli.values import Struct


class Spent(Struct, frozen=True):
    """used is the share of the budget, 0 to 1."""

    used: float
    budget: Money


def spent(session: Session) -> Spent | None:
    """Of `routing.budget`, by all leases that were asked for here in its time; None where there is no budget.

    Costs that are not known, or in another currency than the platform's, are left out, which is said.
    """
    routing, currency = session.settings.routing, session.settings.platform.currency
    if routing.budget is None:
        return None
    # Only for this: it opens the ledger.
    from harpoon_cli.cli.costs import priced_apart, records_since
    from harpoon_cli.leases.lifecycle import utc_now

    now = utc_now()
    records = records_since(session, now - timedelta(seconds=routing.budget_s))
    priced, unknown = priced_apart(records, now)
    counted = [row.cost.amount for row in priced if row.cost is not None and row.cost.currency == currency]
    if left_out := len(unknown) + len(priced) - len(counted):
        session.screen.note(
            f"the budget leaves out {left_out} leases whose cost in {currency} is not known; "
            "harpoon leases --cost shows them"
        )
    total = sum(counted, Decimal(0))
    used = min(float(total / routing.budget), 1.0) if routing.budget else 1.0
    return Spent(used, Money(routing.budget, currency, Origin.ESTIMATED))
