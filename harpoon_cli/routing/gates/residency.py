"""Data stays in the regions that the operator names: a pool known to be elsewhere is not used."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, is_elsewhere, listed, named_pools


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    regions = question.policy.regions
    if not regions:
        return Verdict.PASSED, "any region will do"
    pools = named_pools(candidate)
    unlabelled = [pool.id for pool in pools if not pool.region]
    inside = [pool.id for pool in pools if pool.region and not is_elsewhere(pool, question.policy)]
    if inside:
        return Verdict.PASSED, f"in {listed(regions)}: {listed(inside)}"
    if unlabelled or not pools:
        return Verdict.PASSED, f"{NOT_KNOWN} where {listed(unlabelled) or 'its pools'} are"
    outside = listed([f"{pool.id} is in {pool.region}" for pool in pools])
    return Verdict.NEVER, f"data must stay in {listed(regions)}: {outside}"


GATE = Gate("residency", _judge)
