"""The values a decision is made of; they are the explanation, printed whole. They compute nothing.

Log-odds throughout are those of "a larger model is needed". Every total here is the `math.fsum` of the parts
beside it, and a margin is score minus threshold.
"""

from __future__ import annotations

from decimal import Context, Decimal
from enum import StrEnum

from harpoon_cli.domain import Model, Money, Pool, PoolId, Price, Prompt, Requirements
from harpoon_cli.values import Struct, Told, replace

_SHARE_DIGITS = Context(prec=12)


class Refusal(Struct, frozen=True):
    """A pool that was asked for a slice just now, and had none: it has none of that size or larger."""

    pool_id: PoolId
    wanted: Requirements
    sentence: str


class Candidate(Struct, frozen=True):
    """A model and what is known now about where it could run; None is not known, and removes nobody.

    pools are those it may be placed in, whatever they have free; None where the platform does not list its
    pools, and then nothing about them is checked. held: the one pool is a slice that is held already.
    refusals: what pools said to requests of this very command. latency_s is how long an answer is predicted
    to take. shut_s is for how long the circuit breaker sends nothing where this model answers, 0 for not at
    all. calls_left is how many calls its rate limit leaves for the next calls_for_s seconds.
    failed: why it gave no answer when it was asked by this very command.
    """

    model: Model
    pools: tuple[Pool, ...] | None = None
    latency_s: float | None = None
    held: bool = False
    refusals: tuple[Refusal, ...] = ()
    shut_s: float | None = None
    calls_left: int | None = None
    calls_for_s: float | None = None
    failed: str | None = None


class Policy(Struct, frozen=True):
    """What the operator asks of routing.

    allow: names of the models the score chooses among, in any order ("the small and the large one"); empty
    for every candidate. deny: names that are never used. pin: the one model asked for by name, whatever the
    score. regions: labels of regions; a pool that is known to be elsewhere is not used; empty for anywhere.
    max_cost: what the lease may cost, in the currency of the pool. deadline_s: how long an answer may take;
    None for no such bound. max_tokens: the longest
    answer asked for, None where that is left to the server. base: finite log-odds that the score must reach
    for a larger model. step: what each further size adds to that, where there are more than two; at least 0.

    share (0 to 1) replaces base: of prompts like those that the weights were fitted on, so many are to go to
    a larger model. quality (0 to 1) replaces both: as few as win that share of its gain.

    The rest adds to the threshold, None or 0 for nothing. usd_per_log_odds: what one log-odds is worth,
    against the difference in expected cost; s_per_log_odds: the same for the difference in predicted latency.
    session_model: the model that answered last in this session, kept unless the score is `stickiness` further
    on. budget: what leases may cost together; budget_used: which share (0 to 1) of it is spent, all of it
    adds `pressure`.
    """

    allow: tuple[str, ...] = ()
    pin: str | None = None
    max_tokens: int | None = None
    base: float = 0.0
    step: float = 1.0
    share: float | None = None
    quality: float | None = None
    usd_per_log_odds: float | None = None
    s_per_log_odds: float | None = None
    session_model: str | None = None
    stickiness: float = 0.5
    budget_used: float = 0.0
    pressure: float = 1.0
    deny: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    max_cost: Decimal | None = None
    deadline_s: float | None = None
    budget: Money | None = None

    @property
    def budget_left(self) -> Money | None:
        """What a lease may still cost by the budget; a share has no more digits that count."""
        if self.budget is None:
            return None
        left = self.budget.amount * (1 - Decimal(repr(self.budget_used)))
        return replace(self.budget, amount=left.normalize(_SHARE_DIGITS))


class Known(Struct, frozen=True):
    """A model of the catalogue, and what is known of it now; see `Candidate`."""

    model: Model
    latency_s: float | None = None
    shut_s: float | None = None
    calls_left: int | None = None
    calls_for_s: float | None = None
    failed: str | None = None


class Inputs(Struct, frozen=True):
    """All that a decision is made of, besides the weights: the same inputs give the same decision.

    pools, held and refusals are as in `Candidate`, the same for every model. assumed names what of this is
    not so, but was asked about: "vram.free=40".
    """

    prompt: Prompt
    policy: Policy
    models: tuple[Known, ...]
    pools: tuple[Pool, ...] | None = None
    held: bool = False
    refusals: tuple[Refusal, ...] = ()
    assumed: tuple[str, ...] = ()

    def candidates(self) -> tuple[Candidate, ...]:
        """Each model with all that is known."""
        return tuple(
            Candidate(
                known.model,
                self.pools,
                known.latency_s,
                held=self.held,
                refusals=self.refusals,
                shut_s=known.shut_s,
                calls_left=known.calls_left,
                calls_for_s=known.calls_for_s,
                failed=known.failed,
            )
            for known in self.models
        )


class Counterfactual(Struct, frozen=True):
    """What would have to be different for another model; seen to be so by deciding again.

    axis is what is changed alone. change says how, model is the one that is then used; both are None where
    no change within the bounds does it, and bounds says which were tried.
    """

    axis: str
    change: str | None
    model: str | None
    bounds: str


class Contribution(Struct, frozen=True):
    """One signal's share of the score: amount = weight times value, in log-odds."""

    signal: str
    value: float
    weight: float
    amount: float
    sentence: str | Told


class Familiarity(Struct, frozen=True):
    """How much of a prompt the fitted weights know; below a limit, or without weights, they are not used.

    known is the share of the prompt's words of substance that occurred in training, least the limit; None
    where nothing was fitted on prompts of this kind.
    """

    familiar: bool
    known: float | None
    least: float | None
    sentence: str


class Score(Struct, frozen=True):
    """Log-odds that a larger model is needed: the intercept and all contributions.

    whole says whether all of the prompt was read, or only its two ends. kind is the form of the prompt, which
    decides the weights.
    """

    total: float
    intercept: float
    contributions: tuple[Contribution, ...]
    whole: bool
    kind: str
    familiarity: Familiarity


class Part(Struct, frozen=True):
    """One named part of a threshold, in log-odds."""

    name: str
    amount: float
    sentence: str


class Threshold(Struct, frozen=True):
    """What the score must reach for a step up to a larger model."""

    total: float
    parts: tuple[Part, ...]


class Verdict(StrEnum):
    """What a gate says: passed, ruled out by the operator, impossible whatever is free, or impossible now."""

    PASSED = "passed"
    EXCLUDED = "excluded"
    NEVER = "never"
    NOT_NOW = "not now"


class GateResult(Struct, frozen=True):
    """One gate's verdict on one candidate, with the reason in words."""

    gate: str
    verdict: Verdict
    sentence: str


class ExpectedCost(Struct, frozen=True):
    """The most the tokens may cost: the prompt's, estimated, and the longest answer asked for."""

    money: Money
    prompt_tokens: int
    answer_tokens: int


class CandidateResult(Struct, frozen=True):
    """All that is known about one candidate, removed or not.

    score is the prompt's; threshold is what it must reach for this model to be preferred to the next smaller
    one, and margin the score minus that: what they would be, where the score may not choose this model. Both
    are None for the smallest.
    needs is the slice for this prompt, the model and its cache. cost is None where no token price or no
    max_tokens is known, latency_s where none was measured, lease_cost (of that time, estimated) where no
    price is known either. pool and price are the cheapest place it fits now.
    """

    model: str
    passed: bool
    gates: tuple[GateResult, ...]
    threshold: Threshold | None
    margin: float | None
    cost: ExpectedCost | None
    pool: PoolId | None
    price: Price | None
    needs: Requirements
    score: float
    latency_s: float | None = None
    lease_cost: Money | None = None

    @property
    def failed(self) -> tuple[GateResult, ...]:
        return tuple(gate for gate in self.gates if gate.verdict is not Verdict.PASSED)


class Quality(Struct, frozen=True):
    """What the weights are and what is known about how good they are.

    figures are of prompts left out of the fit. licence is that of the data, training_sha256 names the very
    rows, fitted is the day (as in 2026-01-31), rebuild the command that makes them again; all are empty where
    nothing was fitted.
    """

    weights: str
    note: str
    source: str
    figures: tuple[tuple[str, float], ...]
    licence: str = ""
    training_sha256: str = ""
    fitted: str = ""
    rebuild: str = ""


class _Found(Struct, frozen=True):
    """What came of looking at all candidates, whether or not one of them passes; see `Decision`."""

    model: str | None
    wanted: str
    pinned: bool
    reason: str
    margin: float
    score: Score
    threshold: Threshold
    small_is_right: float | None
    prompt_tokens: int
    candidates: tuple[CandidateResult, ...]
    quality: Quality
    inputs: Inputs | None = None
    counterfactuals: tuple[Counterfactual, ...] | None = None


class Decision(_Found, frozen=True):
    """Which model, and the whole reason.

    model: the one to use. wanted: the one the score alone asks for. They differ where `model` was pinned or
    `wanted` was removed by a gate; `reason` says which. threshold is that of the step that decided.
    small_is_right is the probability of that, by outcomes of the two models that the weights were fitted on;
    None where nothing fitted was used. prompt_tokens is an estimate. candidates are ordered from small to
    large. quality is that of the weights which were used for this prompt. inputs and counterfactuals are
    there where they were asked for.
    """

    model: str


class Undecided(_Found, frozen=True):
    """What a decision is where no model passes its gates: all but a model; reason says what is in the way."""

    model: None


Examined = Decision | Undecided
"""What came of looking at all candidates."""
