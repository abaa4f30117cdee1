"""A routing decision as people read it: the choice, every part of the sum, all gates, what would flip it."""

from __future__ import annotations

from collections.abc import Sequence

from harpoon_cli.cli.forecast import Forecast
from harpoon_cli.cli.routes import log_odds
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Tone
from harpoon_cli.routing.counterfactuals import explained
from harpoon_cli.routing.decision import (
    CandidateResult,
    Contribution,
    Counterfactual,
    Decision,
    Examined,
    GateResult,
    Inputs,
    Quality,
    Undecided,
    Verdict,
)
from harpoon_cli.routing.engine import examine_on, why_none
from harpoon_cli.routing.gates import NOT_KNOWN
from harpoon_cli.routing.weights import Weights

ExplainData = Decision | Undecided | Forecast
"""What route-explain prints as JSON: the decision, all but its model where none passes, or a forecast."""

BAR_COLUMNS = 10

NONE_WITHIN_BOUNDS = "none within bounds"


def outcome_of(inputs: Inputs, weights: Weights | None) -> Outcome:
    """The decision by these inputs, explained; where no model passes with the error that says why."""
    found = explained(examine_on(inputs, weights), weights)
    errors = [why_none(found, inputs.policy)] if isinstance(found, Undecided) else []
    return Outcome(
        data=found, views=views_of(found), ids=[found.model] if found.model is not None else [], errors=errors
    )


def views_of(decision: Examined) -> list[Table | Facts]:
    """The whole decision. The amounts are printed to the last digit that counts, so that they add up."""
    views: list[Table | Facts] = [_choice(decision), _sum(decision), _candidates(decision)]
    views += [*_not_known(decision), _gates(decision)]
    if decision.counterfactuals is not None:
        views.append(_counterfactuals(decision.counterfactuals))
    return [*views, _quality(decision.quality)]


def _choice(decision: Examined) -> Facts:
    facts: list[tuple[str, Cell | str]] = [
        ("model", _model(decision)),
        ("because", decision.reason),
        ("margin", _margin(decision)),
        ("familiarity", _familiarity(decision)),
        ("small is right", _probability(decision)),
        ("prompt", f"about {decision.prompt_tokens} tokens, estimated"),
    ]
    if decision.inputs is not None and decision.inputs.assumed:
        facts.insert(0, ("assumed", Cell(", ".join(decision.inputs.assumed), Tone.WARN)))
    if decision.inputs is not None and decision.inputs.pools is None:
        facts.append(
            ("pools", Cell(f"{NOT_KNOWN}: what they have, and have free, decided nothing", Tone.WARN))
        )
    return Facts(facts)


def _model(decision: Examined) -> Cell:
    if decision.model is None:
        return Cell(f"none; by the score alone {decision.wanted}", Tone.BAD)
    return Cell(decision.model, Tone.STRONG)


def _margin(decision: Examined) -> str:
    score, threshold = log_odds(decision.score.total), log_odds(decision.threshold.total)
    return f"{log_odds(decision.margin)} = score {score} - threshold {threshold}"


def _familiarity(decision: Examined) -> Cell:
    found = decision.score.familiarity
    if found.familiar:
        return Cell(found.sentence)
    why = found.sentence.replace("unfamiliar: ", "")
    return Cell(f"unfamiliar: policy default used ({why})", Tone.WARN)


def _probability(decision: Examined) -> str:
    if decision.small_is_right is None:
        return "not known: nothing fitted was used"
    return f"with probability {decision.small_is_right:.0%}, for the models the weights were fitted on"


def _sum(decision: Examined) -> Table:
    """Every line of the sum with its sign: the last line is that of all above it."""
    parts = [part for part in decision.score.contributions if part.amount]
    parts.sort(key=lambda part: -abs(part.amount))
    asked = decision.threshold.parts
    largest = max([abs(part.amount) for part in parts] + [abs(part.amount) for part in asked])
    rows: list[Sequence[Cell | str]] = [
        ["score", "intercept", log_odds(decision.score.intercept), "", "where every prompt starts"],
        *(_line(part, largest) for part in parts),
    ]
    rows += [
        [
            "threshold",
            part.name,
            log_odds(-part.amount),
            _bar(-part.amount, largest),
            f"less: {part.sentence}",
        ]
        for part in asked
    ]
    rows.append(
        ["margin", "sum of the above", Cell(log_odds(decision.margin), Tone.STRONG), "", decision.reason]
    )
    columns = [
        Column("side", ""),
        Column("signal", "part"),
        Column("amount", "log-odds", right=True),
        Column("bar", "", minor=True),
        Column("sentence", "found"),
    ]
    return Table(columns, rows)


def _line(part: Contribution, largest: float) -> Sequence[Cell | str]:
    return ["score", part.signal, log_odds(part.amount), _bar(part.amount, largest), str(part.sentence)]


def _bar(amount: float, largest: float) -> str:
    length = round(BAR_COLUMNS * abs(amount) / largest) if largest else 0
    return ("+" if amount > 0 else "-") * length


def _candidates(decision: Examined) -> Table:
    columns = [
        Column("model", "model"),
        Column("passed", "can run"),
        Column("margin", "margin", right=True),
        Column("pool", "pool"),
        Column("cost", "tokens cost at most", right=True),
        Column("lease_cost", "lease costs", right=True, minor=True),
        Column("latency", "latency", right=True),
        Column("against", "against it"),
    ]
    assumed = decision.inputs.assumed if decision.inputs else ()
    return Table(columns, [_candidate_row(one, assumed) for one in decision.candidates])


def _candidate_row(result: CandidateResult, assumed: Sequence[str]) -> Sequence[Cell | str]:
    return [
        result.model,
        Cell("yes", Tone.GOOD) if result.passed else Cell("no", Tone.WARN),
        words.UNKNOWN if result.margin is None else log_odds(result.margin),
        result.pool or words.UNKNOWN,
        words.money(result.cost.money if result.cost else None),
        words.money(result.lease_cost),
        _latency(result, assumed),
        "; ".join(f"{gate.gate}: {gate.sentence}" for gate in result.failed) or words.UNKNOWN,
    ]


def _latency(result: CandidateResult, assumed: Sequence[str]) -> str:
    if result.latency_s is None:
        return words.UNKNOWN
    keys = [one.partition("=")[0].strip().lower() for one in assumed]
    origin = "assumed" if f"latency.{result.model}" in keys else "measured"
    return f"{words.duration(result.latency_s)} {origin}"


def _not_known(decision: Examined) -> list[Facts]:
    """What would fill the columns in which nothing stands, in one line; none where all of them are filled."""
    candidates = decision.candidates
    lacking: list[str] = []
    if any(one.cost is None for one in candidates):
        lacking.append("tokens by usd_per_million_input and usd_per_million_output in [models.NAME]")
    if any(one.latency_s is None for one in candidates):
        lacking.append("latency, and with it the lease, by a first answer of the model on this platform")
    if any(one.pool is not None and one.price is None for one in candidates):
        lacking.append("the lease by a pool that names its price")
    return [Facts([("not known yet", "; ".join(lacking))])] if lacking else []


def _gates(decision: Examined) -> Table:
    """Every gate of every candidate, a column each."""
    columns = [Column("gate", "gate"), *(Column(one.model, one.model) for one in decision.candidates)]
    rows: list[Sequence[Cell | str]] = []
    for gates in zip(*(one.gates for one in decision.candidates), strict=True):
        rows.append([gates[0].gate, *map(_mark, gates)])
    return Table(columns, rows)


def _mark(gate: GateResult) -> Cell:
    if gate.verdict is not Verdict.PASSED:
        return Cell(gate.verdict.value, Tone.WARN)
    return Cell(NOT_KNOWN, Tone.FAINT) if NOT_KNOWN in gate.sentence else Cell("passed", Tone.GOOD)


def _counterfactuals(found: Sequence[Counterfactual]) -> Table:
    columns = [
        Column("axis", "what would flip it"),
        Column("change", "change"),
        Column("model", "then"),
        Column("bounds", "looked within", minor=True),
    ]
    rows: list[Sequence[Cell | str]] = [
        [one.axis, one.change or Cell(NONE_WITHIN_BOUNDS, Tone.FAINT), one.model or words.UNKNOWN, one.bounds]
        for one in found
    ]
    return Table(columns, rows)


def _quality(quality: Quality) -> Facts:
    """How good the very weights in use are, on rows left out of the fit, and what they were made from."""
    facts: list[tuple[str, Cell | str]] = [("weights", f"{quality.weights}: {quality.note}")]
    facts += [(name, f"{value:.3g}") for name, value in quality.figures]
    facts.append(("measured on", quality.source))
    made = (
        ("licence of the data", quality.licence),
        ("training set, SHA-256", quality.training_sha256),
        ("fitted on", quality.fitted),
        ("made again by", quality.rebuild),
    )
    facts += [(name, told) for name, told in made if told]
    return Facts(facts, title="held-out quality and calibration of the weights in use")
