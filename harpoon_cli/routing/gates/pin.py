"""Where a model is asked for by name, no other is used."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    pin = question.policy.pin
    if pin is None:
        return Verdict.PASSED, "no model is asked for by name"
    if pin == candidate.model.name:
        return Verdict.PASSED, "asked for by name"
    return Verdict.EXCLUDED, f"{pin} is asked for by name"


GATE = Gate("pin", _judge)
