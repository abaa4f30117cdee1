"""The rate limit must leave a call."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    left = candidate.calls_left
    if left is None:
        return Verdict.PASSED, f"{NOT_KNOWN}: no rate limit is told"
    until = "" if candidate.calls_for_s is None else f" for {candidate.calls_for_s:.0f} s"
    if left > 0:
        return Verdict.PASSED, f"{left} calls are left{until}"
    return Verdict.NOT_NOW, f"the rate limit leaves no call{until}"


GATE = Gate("rate", _judge)
