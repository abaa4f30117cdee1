"""What a model must meet to be used at all; each gate judges alone, and none stops the others.

A gate never looks at the score. What a platform does not say removes nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harpoon_cli.domain import Pool, Requirements
from harpoon_cli.routing.decision import Candidate, GateResult, Policy, Verdict

_POOLS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What the candidates are judged for: the policy, and the prompt's tokens as estimated."""

    policy: Policy
    prompt_tokens: int


def judge(candidate: Candidate, question: Question) -> tuple[GateResult, ...]:
    """Every gate's verdict, in the order of `GATES`."""
    return tuple(GateResult(name, *gate(candidate, question)) for name, gate in GATES.items())


def permitted_pools(candidate: Candidate) -> tuple[Pool, ...]:
    """The candidate's pools that the model's entry permits: all of them, where it names none."""
    permitted = candidate.model.pools
    return tuple(pool for pool in candidate.pools or () if not permitted or pool.id in permitted)


def _pin(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    pin = question.policy.pin
    if pin is None:
        return Verdict.PASSED, "no model is asked for by name"
    if pin == candidate.model.name:
        return Verdict.PASSED, "asked for by name"
    return Verdict.EXCLUDED, f"{pin} is asked for by name"


def _allow(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    allow = question.policy.allow
    if not allow:
        return Verdict.PASSED, "every model may be chosen"
    if candidate.model.name in allow:
        return Verdict.PASSED, "one of the models to choose among"
    if candidate.model.name == question.policy.pin:
        return Verdict.PASSED, "asked for by name, so it need not be one of the models to choose among"
    return Verdict.EXCLUDED, f"the models to choose among are {', '.join(allow)}"


def _context(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    answer = question.policy.max_tokens or 0
    needed, offered = question.prompt_tokens + answer, candidate.model.context_tokens
    need = f"about {question.prompt_tokens} tokens of prompt and {answer} of answer"
    if needed <= offered:
        return Verdict.PASSED, f"{need} fit the context of {offered}"
    return Verdict.NEVER, f"{need} exceed the context of {offered} by about {needed - offered}"


def _pools(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if candidate.pools is None:
        return Verdict.PASSED, "the platform does not list its pools"
    found = permitted_pools(candidate)
    if found:
        return Verdict.PASSED, f"may use {_listed([pool.id for pool in found])}"
    if not candidate.pools:
        return Verdict.NOT_NOW, "the platform has no pool"
    return Verdict.NEVER, f"may only use {_listed(candidate.model.pools)}, which the platform does not have"


def _vram(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    needed = candidate.model.vram_mb
    return _card(candidate, Requirements(vram_mb=needed, tflops=0.0), f"{needed} MB of VRAM")


def _tflops(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    needed = candidate.model.tflops
    return _card(candidate, Requirements(vram_mb=0, tflops=needed), f"{needed:g} TFLOPS")


def _capacity(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    pools, wanted = permitted_pools(candidate), candidate.model.requirements
    if not pools:
        return Verdict.PASSED, "no pool to check"
    free = [pool.id for pool in pools if not pool.obstacles(wanted)]
    if free:
        return Verdict.PASSED, f"fits now in {_listed(free)}"
    possible = [pool for pool in pools if not pool.obstacles(wanted, now=False)]
    if possible:
        return Verdict.NOT_NOW, f"would fit, but not now: {_obstacles(possible, wanted)}"
    return Verdict.NEVER, f"no pool has all of it on one card: {_obstacles(pools, wanted, now=False)}"


def _card(candidate: Candidate, wanted: Requirements, need: str) -> tuple[Verdict, str]:
    pools = permitted_pools(candidate)
    if not pools:
        return Verdict.PASSED, f"{need}; no pool to check"
    if any(not pool.obstacles(wanted, now=False) for pool in pools):
        return Verdict.PASSED, f"{need} are within one card"
    return Verdict.NEVER, f"no card is large enough: {_obstacles(pools, wanted, now=False)}"


def _obstacles(pools: Sequence[Pool], wanted: Requirements, *, now: bool = True) -> str:
    told = [f"{pool.id}: {', '.join(pool.obstacles(wanted, now=now))}" for pool in pools[:_POOLS_NAMED]]
    rest = len(pools) - len(told)
    return "; ".join([*told, f"and {rest} more"] if rest else told)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _POOLS_NAMED
    return ", ".join(names[:_POOLS_NAMED]) + (f" and {rest} more" if rest > 0 else "")


GATES: dict[str, Callable[[Candidate, Question], tuple[Verdict, str]]] = {
    "pin": _pin,
    "allow": _allow,
    "context": _context,
    "pools": _pools,
    "vram": _vram,
    "tflops": _tflops,
    "capacity": _capacity,
}
"""Every gate by name. A new one is a function and a line here."""
