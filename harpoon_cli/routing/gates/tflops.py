"""A card must be as fast as the model needs."""

from __future__ import annotations

from harpoon_cli.domain import Requirements
from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, named_pools, obstacles


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    need = f"{candidate.model.tflops:g} TFLOPS"
    pools = named_pools(candidate) or candidate.pools
    if not pools:
        return Verdict.PASSED, f"{need}; {NOT_KNOWN} what the cards have"
    wanted = Requirements(vram_mb=0, tflops=candidate.model.tflops)
    if any(not pool.obstacles(wanted, now=False) for pool in pools):
        return Verdict.PASSED, f"{need} are within one card"
    return Verdict.NEVER, f"no card is fast enough: {obstacles(pools, wanted, now=False)}"


GATE = Gate("tflops", _judge)
