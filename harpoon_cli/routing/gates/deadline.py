"""The predicted latency must be within the call's total deadline."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    allowed_s, predicted_s = question.policy.deadline_s, candidate.latency_s
    if allowed_s is None:
        return Verdict.PASSED, "no deadline"
    if predicted_s is None:
        return Verdict.PASSED, f"{NOT_KNOWN}: no answer of this model was measured yet"
    if predicted_s <= allowed_s:
        return (
            Verdict.PASSED,
            f"about {predicted_s:.3g} s are predicted, within the deadline of {allowed_s:g} s",
        )
    return (
        Verdict.NOT_NOW,
        f"about {predicted_s:.3g} s are predicted, more than the deadline of {allowed_s:g} s",
    )


GATE = Gate("deadline", _judge)
