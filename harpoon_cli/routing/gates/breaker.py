"""Where the model answers, the circuit breaker must let calls through."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if candidate.shut_s is None:
        return Verdict.PASSED, f"{NOT_KNOWN}: no breaker watches where it answers"
    if candidate.shut_s <= 0:
        return Verdict.PASSED, "calls are let through"
    return Verdict.NOT_NOW, f"the circuit breaker is open: nothing is sent for {candidate.shut_s:.1f} s"


GATE = Gate("breaker", _judge)
