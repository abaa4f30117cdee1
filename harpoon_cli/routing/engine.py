"""Puts a decision together: one score, a threshold a step, all gates for all candidates. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.errors import (
    BreakerOpen,
    CostCeilingReached,
    HarpoonError,
    NoSuchModel,
    NothingFits,
    RateLimited,
)
from harpoon_cli.pricing import cost_of_lease, cost_of_tokens
from harpoon_cli.routing.decision import (
    Candidate,
    CandidateResult,
    Decision,
    Examined,
    ExpectedCost,
    Inputs,
    Policy,
    Score,
    Threshold,
    Undecided,
    Verdict,
)
from harpoon_cli.routing.gates import judge
from harpoon_cli.routing.names import nearest
from harpoon_cli.routing.placement import cheapest
from harpoon_cli.routing.reading import estimate_tokens, read
from harpoon_cli.routing.room import Question, needs, usable_pools
from harpoon_cli.routing.score import score
from harpoon_cli.routing.threshold import Terms, threshold
from harpoon_cli.routing.weights import QUALITY, Weights
from harpoon_cli.routing.weights_file import shipped
from harpoon_cli.values import fields, replace

T = TypeVar("T")

_POOL_GATES = frozenset({"pools", "vram", "tflops", "capacity", "residency"})


def decide(
    prompt: Prompt,
    candidates: Sequence[Candidate],
    policy: Policy,
    weights: Weights | None = None,
    *,
    known_score: Score | None = None,
) -> Decision:
    """Which of the candidates answers `prompt`, and why, down to the last digit.

    By the weights that come with harpoon, where no others are given. known_score is the prompt's by these
    weights, where an earlier decision about it is at hand.

    The score names a model among those the policy allows; where a gate removed that one, the next larger that
    passes is taken, then the next smaller. Only the prompt's text is scored; its system text counts towards
    the context. Raises NoSuchModel where the policy names no candidate; where no model passes NothingFits, or
    BreakerOpen, RateLimited or CostCeilingReached where that alone removes every model.
    """
    return _decided(examine(prompt, candidates, policy, weights, known_score=known_score), policy)


def examine(
    prompt: Prompt,
    candidates: Sequence[Candidate],
    policy: Policy,
    weights: Weights | None = None,
    *,
    known_score: Score | None = None,
) -> Examined:
    """`decide`, but where no model passes that is told with all that was found, and not raised."""
    ordered = sorted(candidates, key=lambda candidate: _size(candidate.model))
    _check_names([candidate.model.name for candidate in ordered], policy)
    weights = weights or shipped()
    scored = known_score or score(read(prompt.text), weights)
    question = Question(policy, estimate_tokens(prompt))
    terms = Terms(policy, weights, _fitted_kind(scored), question.prompt_tokens)
    steps = _steps(ordered, terms)
    results = tuple(
        [
            _result(candidate, question, scored, _step(candidate, ordered, steps, terms))
            for candidate in ordered
        ]
    )
    wanted, deciding = _wanted(steps, scored)
    deciding = deciding or threshold(terms, ordered[:1], 1)
    chosen, margin = _chosen(results, wanted), scored.total - deciding.total
    found = Decision(
        model=chosen or wanted,
        wanted=wanted,
        pinned=policy.pin is not None,
        reason=_reason(chosen or wanted, wanted, margin, results, policy),
        margin=margin,
        score=scored,
        threshold=deciding,
        small_is_right=_small_is_right(scored, weights),
        prompt_tokens=question.prompt_tokens,
        candidates=results,
        quality=weights.quality_for(scored.kind) if scored.familiarity.familiar else QUALITY,
    )
    return found if chosen else _undecided(found, policy)


def decide_on(
    inputs: Inputs, weights: Weights | None = None, *, known_score: Score | None = None
) -> Decision:
    """`decide`, with its inputs in the decision, so that it can be explained and made again."""
    return _decided(examine_on(inputs, weights, known_score=known_score), inputs.policy)


def examine_on(
    inputs: Inputs, weights: Weights | None = None, *, known_score: Score | None = None
) -> Examined:
    """`examine`, with its inputs in what was found."""
    found = examine(inputs.prompt, inputs.candidates(), inputs.policy, weights, known_score=known_score)
    return replace(found, inputs=inputs)


def model_on(
    inputs: Inputs, weights: Weights | None = None, *, known_score: Score | None = None
) -> str | None:
    """The model of `examine_on` alone, and sooner: gates are asked only until a model passes them all."""
    policy, weights = inputs.policy, weights or shipped()
    ordered = sorted(inputs.candidates(), key=lambda candidate: _size(candidate.model))
    scored = known_score or score(read(inputs.prompt.text), weights)
    question = Question(policy, estimate_tokens(inputs.prompt))
    terms = Terms(policy, weights, _fitted_kind(scored), question.prompt_tokens)
    wanted, _ = _wanted(_steps(ordered, terms), scored)
    for one in _by_preference(ordered, [one.model.name for one in ordered].index(wanted)):
        if all(gate.verdict is Verdict.PASSED for gate in judge(one, question)):
            return one.model.name
    return None


def _decided(found: Examined, policy: Policy) -> Decision:
    if isinstance(found, Undecided):
        raise why_none(found, policy)
    return found


def _undecided(found: Decision, policy: Policy) -> Undecided:
    """The same without a model."""
    values = {one.name: getattr(found, one.name) for one in fields(found)}
    told = Undecided(**{**values, "model": None, "reason": ""})
    return replace(told, reason=why_none(told, policy).message)


def _fitted_kind(scored: Score) -> str | None:
    return scored.kind if scored.familiarity.familiar else None


def _small_is_right(scored: Score, weights: Weights) -> float | None:
    fitted = weights.of(scored.kind) if scored.familiarity.familiar else None
    values = {part.signal: part.value for part in scored.contributions}
    return fitted.small_is_right.probability(values, scored.total) if fitted else None


def _size(model: Model) -> tuple[int, float, Decimal, str]:
    return model.vram_mb, model.tflops, model.usd_per_million_output or Decimal(0), model.name


def _check_names(known: Sequence[str], policy: Policy) -> None:
    if not known:
        raise NothingFits("there is no model to choose from", hint="see: harpoon models")
    for name in (*policy.allow, *policy.deny, *((policy.pin,) if policy.pin is not None else ())):
        if name not in known:
            raise NoSuchModel(f"there is no model {name}", hint=nearest(name, known) or "see: harpoon models")


def _steps(ordered: Sequence[Candidate], terms: Terms) -> dict[str, Threshold | None]:
    """The models the score chooses among, from small to large, each with the threshold below it."""
    allow = terms.policy.allow
    rungs = [candidate for candidate in ordered if not allow or candidate.model.name in allow]
    return {
        rung.model.name: threshold(terms, rungs, step) if step else None for step, rung in enumerate(rungs)
    }


def _wanted(steps: dict[str, Threshold | None], scored: Score) -> tuple[str, Threshold | None]:
    """The model the score asks for, and the threshold that decided: the last reached, or the first missed.

    None where there is one model only.
    """
    wanted, deciding = next(iter(steps)), None
    for name, step in steps.items():
        if step is None:
            continue
        if scored.total - step.total < 0:
            return wanted, deciding or step
        wanted, deciding = name, step
    return wanted, deciding


def _step(
    candidate: Candidate,
    ordered: Sequence[Candidate],
    steps: dict[str, Threshold | None],
    terms: Terms,
) -> Threshold | None:
    """The threshold below a model; below one that the score may not choose, what it would be if it might."""
    name = candidate.model.name
    if name in steps:
        return steps[name]
    rungs = [one for one in ordered if one.model.name in steps or one is candidate]
    place = rungs.index(candidate)
    return threshold(terms, rungs, place) if place else None


def _result(
    candidate: Candidate, question: Question, scored: Score, step: Threshold | None
) -> CandidateResult:
    gates = judge(candidate, question)
    wanted = needs(candidate, question)
    place = cheapest(wanted, usable_pools(candidate, question))
    price, latency_s = place.price if place else None, candidate.latency_s
    return CandidateResult(
        model=candidate.model.name,
        passed=all(gate.verdict is Verdict.PASSED for gate in gates),
        gates=gates,
        threshold=step,
        margin=None if step is None else scored.total - step.total,
        cost=_expected_cost(candidate.model, question),
        pool=place.id if place else None,
        price=price,
        needs=wanted,
        score=scored.total,
        latency_s=latency_s,
        lease_cost=cost_of_lease(price, latency_s, measured=False) if price and latency_s else None,
    )


def _expected_cost(model: Model, question: Question) -> ExpectedCost | None:
    answer_tokens = question.policy.max_tokens
    if answer_tokens is None:
        return None
    money = cost_of_tokens(model, question.prompt_tokens, answer_tokens)
    return ExpectedCost(money, question.prompt_tokens, answer_tokens) if money else None


def _chosen(results: Sequence[CandidateResult], wanted: str) -> str | None:
    """The model that is wanted, else the next larger that passes, else the next smaller."""
    by_preference = _by_preference(results, [result.model for result in results].index(wanted))
    return next((result.model for result in by_preference if result.passed), None)


def _by_preference(ordered: Sequence[T], wanted: int) -> list[T]:
    """From small to large: the one at the place that is wanted, the larger ones, then the smaller ones."""
    return [*ordered[wanted:], *reversed(ordered[:wanted])]


def why_none(found: Undecided, policy: Policy) -> HarpoonError:
    """The error that says why no model passes; see `decide`."""
    results = found.candidates
    named = [result for result in results if result.model == policy.pin]
    considered = [
        result for result in results if all(gate.verdict is not Verdict.EXCLUDED for gate in result.gates)
    ]
    considered = considered or named or list(results)
    told = "; ".join(f"{result.model}: {failures(result)}" for result in considered)
    message = f"no model can take this prompt: {told}"
    failed = [{gate.gate for gate in result.failed} for result in considered]
    if all(gates == {"breaker"} for gates in failed):
        return BreakerOpen(message, hint="run the command again then")
    if all(gates <= {"breaker", "rate"} for gates in failed):
        return RateLimited(message, hint="run the command again then")
    if all(gates == {"budget"} for gates in failed):
        return CostCeilingReached(
            message, hint="raise --max-cost or routing.budget, or choose a cheaper pool: harpoon pools"
        )
    roomless = [
        result.model for result in considered if any(gate.gate in _POOL_GATES for gate in result.failed)
    ]
    if roomless:
        return NothingFits(message, hint=f"see: harpoon pools --fits {roomless[0]}")
    if any(gates & {"context"} for gates in failed):
        hint = "shorten the prompt, lower --max-tokens, or name a model with more context: harpoon models"
        return NothingFits(message, hint=hint)
    return NothingFits(message, hint="harpoon route-explain shows every gate of every model")


def failures(result: CandidateResult) -> str:
    """The gates that removed a candidate, with their reasons."""
    return ", ".join(f"{gate.gate} ({gate.sentence})" for gate in result.failed)


def _reason(
    model: str, wanted: str, margin: float, results: Sequence[CandidateResult], policy: Policy
) -> str:
    if policy.pin is not None:
        return f"{model} is asked for by name"
    if model != wanted:
        removed = next(result for result in results if result.model == wanted)
        return f"the score asks for {wanted}, but {failures(removed)}; {model} is the next that passes"
    if len(policy.allow or results) == 1:
        return f"{model} is the only model to choose from"
    if margin < 0:
        return f"the score is {-margin:.3g} below what a larger model than {model} asks for"
    return f"the score is {margin:.3g} above what {model} asks for"
