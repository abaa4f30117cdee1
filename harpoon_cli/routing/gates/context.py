"""Prompt and longest answer must fit the model's context."""

from __future__ import annotations

from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import Gate
from harpoon_cli.routing.room import Question


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    answer, offered = question.policy.max_tokens or 0, candidate.model.context_tokens
    need = f"about {question.prompt_tokens} tokens of prompt and {answer} of answer"
    if question.tokens <= offered:
        return Verdict.PASSED, f"{need} fit the context of {offered}"
    return Verdict.NEVER, f"{need} exceed the context of {offered} by about {question.tokens - offered}"


GATE = Gate("context", _judge)
