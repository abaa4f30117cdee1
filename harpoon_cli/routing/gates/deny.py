"""A model that the operator denies is never used, not even by name."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    if candidate.model.name in question.policy.deny:
        return Verdict.EXCLUDED, "the operator denies it (routing.deny)"
    return Verdict.PASSED, "not denied"


GATE = Gate("deny", _judge)
