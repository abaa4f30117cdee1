"""Which model a prompt goes to, for every command that asks, and the words that say why."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harpoon_cli.catalogue import Catalogue
from harpoon_cli.cli.facts import inputs_of, policy_of
from harpoon_cli.cli.failovers import Failover
from harpoon_cli.cli.last_models import last_model
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Pool, PoolId, Prompt
from harpoon_cli.routing import Decision, Inputs, Policy
from harpoon_cli.routing.engine import decide_on, failures
from harpoon_cli.routing.placement import pool_named
from harpoon_cli.values import Struct, replace


class Asked(Struct, frozen=True):
    """What the command line asks of routing; None leaves it to the configuration."""

    model: str | None = None
    max_tokens: int | None = None
    max_cost: Decimal | None = None
    session_name: str | None = None

    def over(self, policy: Policy, catalogue: Catalogue) -> Policy:
        """The configured policy with this laid over it; `NoSuchModel`."""
        return replace(
            policy,
            pin=catalogue.find(self.model).name if self.model else None,
            max_tokens=self.max_tokens or policy.max_tokens,
            max_cost=policy.max_cost if self.max_cost is None else self.max_cost,
        )


def only_pool(session: Session, pools: Sequence[Pool] | None, named: str | None) -> tuple[Pool, ...] | None:
    """The pools that may be used: the named or configured one, else all. Raises `NoSuchPool`."""
    name = named or session.settings.platform.pool_id
    if pools is None or not name:
        return None if pools is None else tuple(pools)
    return (pool_named(pools, PoolId(name)),)


def decide_for(
    session: Session,
    prompt: Prompt,
    pools: tuple[Pool, ...] | None,
    asked: Asked,
    *,
    held: bool = False,
) -> Decision:
    """The routing engine's decision over the whole catalogue, by the configured policy."""
    return decide_on(inputs_for(session, prompt, pools, asked, held=held), installed())


def inputs_for(
    session: Session,
    prompt: Prompt,
    pools: tuple[Pool, ...] | None,
    asked: Asked,
    *,
    held: bool = False,
) -> Inputs:
    """What that decision is made of."""
    policy = asked.over(policy_of(session.settings, session.catalogue), session.catalogue)
    if asked.session_name is not None:
        last = last_model(session.account, asked.session_name)
        # The score cannot keep to a model that it may not choose.
        policy = replace(policy, session_model=last if last in policy.allow else None)
    return inputs_of(session, prompt, policy, pools, held=held)


def log_odds(amount: float) -> str:
    """To the twelfth digit: sums of what is printed are then right to a billionth."""
    return f"{amount + 0.0:+.12f}"  # nothing is +0


def by_gates(decision: Decision) -> tuple[Failover, ...]:
    """The model that the score asked for and a gate removed: one, or none."""
    if decision.pinned or decision.model == decision.wanted:
        return ()
    removed = next(one for one in decision.candidates if one.model == decision.wanted)
    return (Failover(decision.wanted, None, failures(removed), decision.model),)


def tell_choice(session: Session, decision: Decision, *, in_full: bool) -> None:
    """Say on stderr why, where it was asked for; a model other than the one routing wanted is always said."""
    if by_gates(decision):
        # It may cost more than what was wanted: this is said to whoever asked for quiet too.
        session.screen.warn(f"{decision.model}: {decision.reason}")
    elif in_full:
        session.screen.note(f"{decision.model}: {decision.reason}")
    if in_full:
        note, score = session.screen.note, decision.score
        note(f"{log_odds(score.intercept)} intercept: where every prompt starts")
        for part in score.contributions:
            if part.amount:
                note(f"{log_odds(part.amount)} {part.signal}: {part.sentence}")
        for asked in decision.threshold.parts:
            note(f"{log_odds(-asked.amount)} threshold, {asked.name}: less {asked.sentence}")
        note(
            f"{log_odds(decision.margin)} margin, the sum: score {log_odds(score.total)} - threshold "
            f"{log_odds(decision.threshold.total)}"
        )
        note(score.familiarity.sentence)
        note(decision.quality.note)
