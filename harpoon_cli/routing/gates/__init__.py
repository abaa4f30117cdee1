"""What a model must meet to be used at all, one gate a file; adding a file here adds a gate.

Each file holds one `GATE`. Every gate judges alone, none stops the others, and none looks at the score. What
is not known removes nobody. The files are found by listing this folder, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

from harpoon_cli.discovery import Folder
from harpoon_cli.routing.decision import Candidate, GateResult, Verdict
from harpoon_cli.routing.room import Question
from harpoon_cli.values import Struct

NOT_KNOWN = "not known"
"""How the sentence of a gate begins that passes because what it judges by is not known."""


class Gate(Struct, frozen=True):
    """A condition: judge gives the verdict on one candidate, and the reason in words."""

    name: str
    judge: Callable[[Candidate, Question], tuple[Verdict, str]]


def judge(candidate: Candidate, question: Question) -> tuple[GateResult, ...]:
    """Every gate's verdict, ordered by file name."""
    return tuple([GateResult(gate.name, *gate.judge(candidate, question)) for gate in discover()])


@cache
def discover() -> tuple[Gate, ...]:
    """Every gate in this folder, ordered by file name."""
    folder = Folder(__name__, __path__, "gate")
    return tuple([_gate_of(module) for module in folder.modules()])


def _gate_of(module: ModuleType) -> Gate:
    gate = module.GATE
    if not isinstance(gate, Gate):
        raise TypeError(f"{module.__file__}: GATE is not a Gate")
    return gate
