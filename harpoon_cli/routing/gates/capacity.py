"""A pool must have all of the slice free now, on one card."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, is_less, judged_pools, listed, needs, obstacles

_NO_POOL = f"{NOT_KNOWN}: no pool to check"


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if not candidate.pools and not candidate.refusals:
        return Verdict.PASSED, _NO_POOL
    wanted = needs(candidate, question)
    told = [each for each in candidate.refusals if is_less(each.wanted, wanted)]
    pools = judged_pools(candidate, question)
    free = [pool.id for pool in pools if not pool.obstacles(wanted)]
    if free:
        return Verdict.PASSED, f"fits now in {listed(free)}"
    if told:
        return Verdict.NOT_NOW, "; ".join(f"{each.pool_id} refused it: {each.sentence}" for each in told)
    if not pools:
        return Verdict.PASSED, _NO_POOL
    possible = [pool for pool in pools if not pool.obstacles(wanted, now=False)]
    if possible:
        return Verdict.NOT_NOW, f"would fit, but not now: {obstacles(possible, wanted)}"
    return Verdict.NEVER, f"no pool has all of it on one card: {obstacles(pools, wanted, now=False)}"


GATE = Gate("capacity", _judge)
