"""The platform must have a pool that the model's entry permits."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, listed, named_pools


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if candidate.pools is None:
        return Verdict.PASSED, f"{NOT_KNOWN}: there is no list of pools"
    found = named_pools(candidate)
    if found:
        return Verdict.PASSED, f"may use {listed([pool.id for pool in found])}"
    if not candidate.pools:
        return Verdict.NOT_NOW, "the platform has no pool"
    return Verdict.NEVER, f"may only use {listed(candidate.model.pools)}, which the platform does not have"


GATE = Gate("pools", _judge)
