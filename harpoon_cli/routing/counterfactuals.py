"""What would have to be different for another model: found by deciding again, told only if it was seen.

For every axis one thing is changed and all else is left as it is. Within the bounds the nearest change that
is found is given: between the steps of a fine grid by halving, so that only a stretch that flips and flips
back within one step can be missed. Where no model passes, what is looked for is any that would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeVar

from harpoon_cli.routing import changes
from harpoon_cli.routing.decision import CandidateResult, Counterfactual, Examined, Inputs
from harpoon_cli.routing.engine import examine_on, model_on
from harpoon_cli.routing.rewording import PHRASES, WORDS_DROPPED, by_effect, without
from harpoon_cli.routing.weights import Weights
from harpoon_cli.values import Struct, replace

MOST_TIMES = 100.0
"""A price is made at most so many times as high, and at least so many times as low."""

LONGEST_S = 3600.0
SHORTEST_S = 0.01
LARGEST_SLICE_MB = 1024 * 1024
MOST_TOKENS = 1_000_000

_GRID = 24
"""Steps between a value and its bound: of a fifth each, for a factor of 100."""

_HALVINGS = 40
_DIGITS = (3, 6, 9, 12, 17)
"""A value is told with as few as flip the decision."""

Change = tuple[str, str]
"""A sentence, and the model that is used then."""

T = TypeVar("T", bound=Examined)


class _Search(Struct, frozen=True):
    """Decides again and again, about one decision."""

    decision: Examined
    inputs: Inputs
    weights: Weights | None

    def other(self, inputs: Inputs) -> str | None:
        """The model by these inputs, where that is another one; None where none passes."""
        same = inputs.prompt is self.inputs.prompt
        found = examine_on(inputs, self.weights, known_score=self.decision.score if same else None)
        return found.model if found.model != self.decision.model else None

    def flips(self, inputs: Inputs) -> bool:
        """Is it another model by these inputs? Sooner than `other`, which is asked before one is told."""
        found = model_on(inputs, self.weights, known_score=self.decision.score)
        return found is not None and found != self.decision.model

    def scored(self, text: str) -> float:
        """The score of another wording."""
        return examine_on(changes.with_text(self.inputs, text), self.weights).score.total

    @property
    def models(self) -> tuple[CandidateResult, ...]:
        """Those that the operator lets be used."""
        policy = self.inputs.policy
        allowed = policy.allow if policy.pin is None else (policy.pin,)
        return tuple(
            one
            for one in self.decision.candidates
            if (not allowed or one.model in allowed) and one.model not in policy.deny
        )

    def nearest(
        self, change: Callable[[float], Inputs], start: float, end: float
    ) -> tuple[float, str] | None:
        """The value nearest to start, on the way to end (both above 0), that is seen to flip the decision."""
        ratio = (end / start) ** (1 / _GRID)
        before = start
        for step in range(1, _GRID + 1):
            value = start * ratio**step
            if self.flips(change(value)):
                return self._narrowed(change, before, value)
            before = value
        return None

    def _narrowed(self, change: Callable[[float], Inputs], no: float, yes: float) -> tuple[float, str] | None:
        for _ in range(_HALVINGS):
            middle = math.sqrt(no * yes)
            if self.flips(change(middle)):
                yes = middle
            else:
                no = middle
        for digits in _DIGITS:
            value = _rounded(yes, digits, up=yes > no)
            if (model := self.other(change(value))) is not None:
                return value, model
        return None


def counterfactuals(decision: Examined, weights: Weights | None = None) -> tuple[Counterfactual, ...]:
    """One for each of price, latency, free VRAM, asked share, context and wording, in this order.

    The decision must have its inputs; weights are those it was made by.
    """
    assert decision.inputs is not None, "what is not known cannot be changed"
    search = _Search(decision, decision.inputs, weights)
    found = []
    for axis, bounds, changes_of in _AXES:
        pinned = decision.pinned and decision.model is not None
        change = None if pinned else next(changes_of(search), None)
        told = f"{bounds}; the model is asked for by name" if pinned else bounds
        sentence, model = change or (None, None)
        found.append(Counterfactual(axis, sentence, model, told))
    return tuple(found)


def explained(decision: T, weights: Weights | None = None) -> T:
    """The decision with its counterfactuals."""
    return replace(decision, counterfactuals=counterfactuals(decision, weights))


def _price(search: _Search) -> Iterator[Change]:
    found: list[tuple[float, str, str]] = []
    for one in search.models:
        if one.cost is None:
            continue

        def tokens(factor: float, name: str = one.model) -> Inputs:
            return changes.with_tokens_times(search.inputs, name, factor)

        found += _times(search, tokens, f"the tokens of {one.model}")
    policy = search.inputs.policy
    if (policy.max_cost is not None or policy.budget_left is not None) and search.inputs.pools:
        found += _times(search, lambda factor: changes.with_hours_times(search.inputs, factor), "all pools")
    for _, sentence, model in sorted(found):
        yield sentence, model


def _times(search: _Search, change: Callable[[float], Inputs], what: str) -> Iterator[tuple[float, str, str]]:
    for end in (MOST_TIMES, 1 / MOST_TIMES):
        if (near := search.nearest(change, 1.0, end)) is not None:
            factor, model = near
            yield abs(math.log(factor)), f"if {what} cost {_written(factor)} times as much", model


def _latency(search: _Search) -> Iterator[Change]:
    found: list[tuple[float, str, str]] = []
    for one in search.models:

        def answers(seconds: float, name: str = one.model) -> Inputs:
            return changes.with_latency(search.inputs, name, seconds)

        start = min(max(one.latency_s or SHORTEST_S, SHORTEST_S), LONGEST_S)
        for end, than in ((LONGEST_S, "or more"), (SHORTEST_S, "or less")):
            if start != end and (near := search.nearest(answers, start, end)) is not None:
                seconds, model = near
                distance = abs(math.log(seconds / start))
                found.append(
                    (distance, f"if an answer of {one.model} took {_written(seconds)} s {than}", model)
                )
    for _, sentence, model in sorted(found):
        yield sentence, model


def _free_vram(search: _Search) -> Iterator[Change]:
    pools = search.inputs.pools or ()
    sizes = [pool.vram_free_mb if pool.vram_free_mb is not None else pool.gpu_vram_mb for pool in pools]
    now_mb = max((size for size in sizes if size is not None), default=0)
    edges = {one.needs.vram_mb + less for one in search.models for less in (0, -1)}
    for edge in sorted(edges, key=lambda edge: (abs(edge - now_mb), edge)):
        if pools and 0 <= edge <= LARGEST_SLICE_MB and edge != now_mb:
            than = "or more" if edge > now_mb else "or less"
            model = search.other(changes.with_free_vram(search.inputs, edge))
            if model is not None:
                yield f"if the largest free slice had {edge} MB {than}", model


def _share(search: _Search) -> Iterator[Change]:
    now = search.inputs.policy.share
    found: list[tuple[float, str, str]] = []
    for end, than in ((1.0, "or more"), (0.0, "or less")):
        start = now if now is not None else 1.0 - end
        if (near := _nearest_share(search, start, end)) is not None:
            share, model = near
            distance = abs(share - start) if now is not None else min(share, 1 - share)
            found.append((distance, f"with an asked share of {share:g} {than}", model))
    for _, sentence, model in sorted(found):
        yield sentence, model


def _nearest_share(search: _Search, start: float, end: float) -> tuple[float, str] | None:
    """In thousandths; larger shares never give a smaller model, so on the way only a larger one counts."""
    sizes = [one.model for one in search.decision.candidates]
    if search.decision.model is None:
        return None  # it removes nobody
    now = sizes.index(search.decision.model)

    def beyond(thousandths: int) -> str | None:
        model = search.other(changes.with_share(search.inputs, thousandths / 1000))
        return model if model is not None and (sizes.index(model) > now) == (end > start) else None

    no, yes = round(start * 1000), round(end * 1000)
    model = beyond(yes)
    if model is None:
        return None
    while abs(yes - no) > 1:
        middle = (no + yes) // 2
        other = beyond(middle)
        if other is None:
            no = middle
        else:
            yes, model = middle, other
    return yes / 1000, model


def _context(search: _Search) -> Iterator[Change]:
    decision, inputs, policy = search.decision, search.inputs, search.inputs.policy
    entries = {known.model.name: known.model for known in inputs.models}
    needed = decision.prompt_tokens + (policy.max_tokens or 0)
    for one in search.models:
        if entries[one.model].context_tokens < needed <= MOST_TOKENS:
            model = search.other(changes.with_context(inputs, one.model, needed))
            if model is not None:
                yield f"if {one.model} had a context of {needed} tokens or more", model
    for tokens in sorted({entries[one.model].context_tokens for one in search.models}):
        longest = tokens - decision.prompt_tokens + 1
        if (policy.max_tokens or 0) < longest <= MOST_TOKENS:
            model = search.other(replace(inputs, policy=replace(policy, max_tokens=longest)))
            if model is not None:
                yield f"if an answer might have {longest} tokens or more (--max-tokens)", model
    if decision.model is not None and needed > 1:
        model = search.other(changes.with_context(inputs, decision.model, needed - 1))
        if model is not None:
            yield f"if {decision.model} had a context of {needed - 1} tokens or less", model


def _wording(search: _Search) -> Iterator[Change]:
    text = search.inputs.prompt.text
    lower = search.decision.wanted == search.models[-1].model if search.models else False
    dropped: list[str] = []
    for word in by_effect(text, search.scored, lower=lower)[:WORDS_DROPPED]:
        dropped.append(word)
        model = search.other(changes.with_text(search.inputs, without(text, dropped)))
        if model is not None:
            yield f"without {_quoted(dropped)}", model
            return
    for phrase in PHRASES:
        model = search.other(changes.with_text(search.inputs, f"{text} {phrase}"))
        if model is not None:
            yield f'with "{phrase}" after it', model


def _quoted(words: Sequence[str]) -> str:
    return ("the word " if len(words) == 1 else "the words ") + ", ".join(f'"{word}"' for word in words)


def _written(value: float) -> str:
    """To the last digit: this very value was seen to flip the decision."""
    return repr(value).removesuffix(".0")


def _rounded(value: float, digits: int, *, up: bool) -> float:
    """To so many significant digits, away from where it flips not; whole where that is all of them."""
    told = Decimal(repr(value))
    place = Decimal(1).scaleb(told.adjusted() - digits + 1)
    return float(told.quantize(place, ROUND_CEILING if up else ROUND_FLOOR)) if told else 0.0


_AXES: tuple[tuple[str, str, Callable[[_Search], Iterator[Change]]], ...] = (
    ("price", f"{1 / MOST_TIMES:g} to {MOST_TIMES:g} times the prices that are known", _price),
    ("latency", f"{SHORTEST_S:g} to {LONGEST_S:g} s", _latency),
    ("free VRAM", f"0 to {LARGEST_SLICE_MB} MB, where pools are listed", _free_vram),
    ("asked share", "0 to 1", _share),
    ("context", f"up to {MOST_TOKENS} tokens", _context),
    ("wording", f"up to {WORDS_DROPPED} words fewer, or one of {len(PHRASES)} phrases more", _wording),
)
