"""Where the model answers, this very prompt must not have been turned away just now."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if candidate.failed is None:
        return Verdict.PASSED, "nothing has turned this prompt away"
    return Verdict.NOT_NOW, f"it gave no answer just now: {candidate.failed}"


GATE = Gate("answers", _judge)
