"""Which model a prompt goes to, for every command that asks, and the words that say why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from harpoon_cli.catalogue import Catalogue
from harpoon_cli.cli.facts import inputs_of, policy_of
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Pool, PoolId, Prompt
from harpoon_cli.render.outcome import Cell, Column, Facts, Table, Tone
from harpoon_cli.routing import CandidateResult, Decision, Policy
from harpoon_cli.routing.engine import decide_on
from harpoon_cli.routing.placement import pool_named

BAR_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of routing; None leaves it to the configuration."""

    model: str | None = None
    max_tokens: int | None = None
    max_cost: Decimal | None = None

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
    policy = asked.over(policy_of(session.settings, session.catalogue), session.catalogue)
    return decide_on(inputs_of(session, prompt, policy, pools, held=held), installed())


def tell_choice(session: Session, decision: Decision, *, in_full: bool) -> None:
    """Say on stderr why, where it was asked for; a model other than the one routing wanted is always said."""
    if in_full or (decision.model != decision.wanted and not decision.pinned):
        session.screen.note(f"{decision.model}: {decision.reason}")
    if in_full:
        score = decision.score
        session.screen.note(f"{score.intercept:+.3f} intercept: where every prompt starts")
        for part in score.contributions:
            if part.amount:
                session.screen.note(f"{part.amount:+.3f} {part.signal}: {part.sentence}")
        session.screen.note(
            f"{score.total:+.3f} score, against a threshold of {decision.threshold.total:+.3f}"
        )
        session.screen.note(decision.score.familiarity.sentence)
        session.screen.note(decision.quality.note)


def views_of(decision: Decision) -> list[Table | Facts]:
    """The decision as people read it: the choice, what made the score, and what each model had against it."""
    return [_choice(decision), _contributions(decision), _candidates(decision)]


def _choice(decision: Decision) -> Facts:
    facts: list[tuple[str, Cell | str]] = [
        ("model", Cell(decision.model, Tone.STRONG)),
        ("because", decision.reason),
        ("score", f"{decision.score.total:+.3f} log-odds that a larger model is needed"),
        ("threshold", f"{decision.threshold.total:+.3f}"),
        ("margin", f"{decision.margin:+.3f}"),
        ("familiarity", decision.score.familiarity.sentence),
        ("small is right", _probability(decision)),
        ("prompt", f"about {decision.prompt_tokens} tokens, estimated"),
        ("weights", f"{decision.quality.weights}: {decision.quality.note}"),
    ]
    return Facts(facts)


def _probability(decision: Decision) -> str:
    if decision.small_is_right is None:
        return "not known: nothing fitted was used"
    return f"with probability {decision.small_is_right:.0%}, for the models the weights were fitted on"


def _contributions(decision: Decision) -> Table:
    largest = max((abs(part.amount) for part in decision.score.contributions), default=0.0)
    rows: list[Sequence[Cell | str]] = [
        ["intercept", f"{decision.score.intercept:+.3f}", "", "where every prompt starts"]
    ]
    rows += [
        [part.signal, f"{part.amount:+.3f}", _bar(part.amount, largest), part.sentence]
        for part in sorted(decision.score.contributions, key=lambda part: -abs(part.amount))
        if part.amount
    ]
    columns = [
        Column("signal", "signal"),
        Column("amount", "log-odds", right=True),
        Column("bar", ""),
        Column("sentence", "found"),
    ]
    return Table(columns, rows)


def _bar(amount: float, largest: float) -> str:
    length = round(BAR_COLUMNS * abs(amount) / largest) if largest else 0
    return ("+" if amount > 0 else "-") * length


def _candidates(decision: Decision) -> Table:
    columns = [
        Column("model", "model"),
        Column("passed", "can run"),
        Column("margin", "margin", right=True),
        Column("pool", "pool"),
        Column("against", "against it"),
    ]
    return Table(columns, [_candidate_row(one) for one in decision.candidates])


def _candidate_row(result: CandidateResult) -> Sequence[Cell | str]:
    return [
        result.model,
        Cell("yes", Tone.GOOD) if result.passed else Cell("no", Tone.WARN),
        "-" if result.margin is None else f"{result.margin:+.3f}",
        result.pool or "-",
        "; ".join(gate.sentence for gate in result.failed) or "-",
    ]
