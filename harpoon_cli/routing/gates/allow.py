"""The score chooses among the models that the operator allows; a model asked for by name need not be one."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    allow = question.policy.allow
    if not allow:
        return Verdict.PASSED, "every model may be chosen"
    if candidate.model.name in allow:
        return Verdict.PASSED, "one of the models to choose among"
    if candidate.model.name == question.policy.pin:
        return Verdict.PASSED, "asked for by name, so it need not be one of the models to choose among"
    return Verdict.EXCLUDED, f"the models to choose among are {', '.join(allow)}"


GATE = Gate("allow", _judge)
