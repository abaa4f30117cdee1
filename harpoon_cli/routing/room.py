"""What slice a model needs for one prompt, and which pools may give it; it looks at no score."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harpoon_cli.domain import Model, Pool, Requirements
from harpoon_cli.routing.decision import Candidate, Policy, Refusal
from harpoon_cli.values import Struct, replace

POOLS_NAMED = 3
"""So many pools are named in a sentence."""

KB_PER_MB = 1024


class Question(Struct, frozen=True):
    """What the candidates are judged for: the policy, and the prompt's tokens as estimated."""

    policy: Policy
    prompt_tokens: int

    @property
    def tokens(self) -> int:
        """Of the prompt and of the longest answer asked for."""
        return self.prompt_tokens + (self.policy.max_tokens or 0)


def cache_mb(candidate: Candidate, question: Question) -> int | None:
    """The memory that the tokens take besides the model, in whole MB; None where nothing is known of it.

    Of a slice that is held already the engine has set it aside: how much is not known.
    """
    kb_per_token = candidate.model.kv_kb_per_token
    if kb_per_token is None or candidate.held:
        return None
    # Beyond its context no token is kept: another gate says so.
    tokens = min(question.tokens, candidate.model.context_tokens)
    return math.ceil(tokens * kb_per_token / KB_PER_MB)


def needs(candidate: Candidate, question: Question) -> Requirements:
    """The slice for this prompt: the model and its cache."""
    wanted, cache = candidate.model.requirements, cache_mb(candidate, question)
    return replace(wanted, vram_mb=wanted.vram_mb + cache) if cache else wanted


def named_pools(candidate: Candidate) -> tuple[Pool, ...]:
    """The candidate's pools that the model's entry permits: all of them, where it names none."""
    if not candidate.pools:
        return ()
    named: Model = candidate.model
    return tuple(pool for pool in candidate.pools if not named.pools or pool.id in named.pools)


def is_elsewhere(pool: Pool, policy: Policy) -> bool:
    """Is a pool known to be in a region that the data must not reach? Without a label it is not known."""
    return bool(policy.regions) and bool(pool.region) and pool.region not in policy.regions


def usable_pools(candidate: Candidate, question: Question) -> tuple[Pool, ...]:
    """The pools that the entry and the regions permit, and that have not refused this slice just now."""
    return _not_refused(_permitted(candidate, question), candidate, question)


def judged_pools(candidate: Candidate, question: Question) -> tuple[Pool, ...]:
    """The pools that a gate about room judges by: the usable ones.

    Where the entry and the regions permit none, other gates say so. What room there is elsewhere is judged
    all the same, so that a removed model keeps everything that is in its way.
    """
    pools = _permitted(candidate, question) or named_pools(candidate) or candidate.pools or ()
    return _not_refused(pools, candidate, question)


def _permitted(candidate: Candidate, question: Question) -> tuple[Pool, ...]:
    return tuple(pool for pool in named_pools(candidate) if not is_elsewhere(pool, question.policy))


def _not_refused(pools: tuple[Pool, ...], candidate: Candidate, question: Question) -> tuple[Pool, ...]:
    if not candidate.refusals:
        return pools
    wanted = needs(candidate, question)
    return tuple(pool for pool in pools if refusal_of(candidate, pool, wanted) is None)


def refusal_of(candidate: Candidate, pool: Pool, wanted: Requirements) -> Refusal | None:
    """What the pool said just now to a request for as much or less."""
    return next(
        (each for each in candidate.refusals if each.pool_id == pool.id and is_less(each.wanted, wanted)),
        None,
    )


def is_less(one: Requirements, other: Requirements) -> bool:
    """Is one at most as large as the other in every way?"""
    return one.vram_mb <= other.vram_mb and one.tflops <= other.tflops


def obstacles(pools: Sequence[Pool], wanted: Requirements, *, now: bool = True) -> str:
    """Why none of the pools can hold `wanted`, in words."""
    told = [f"{pool.id}: {', '.join(pool.obstacles(wanted, now=now))}" for pool in pools[:POOLS_NAMED]]
    rest = len(pools) - len(told)
    return "; ".join([*told, f"and {rest} more"] if rest else told)


def listed(names: Sequence[str]) -> str:
    """Some names as one phrase."""
    rest = len(names) - POOLS_NAMED
    return ", ".join(names[:POOLS_NAMED]) + (f" and {rest} more" if rest > 0 else "")
