"""Decides which model answers a prompt, and says exactly why: gates → signals → score → threshold → decision.

    reading    what is looked at in a prompt, the same for every spelling in case and white space
    signals/   one readable measurement a file, found by listing the folder
    weights    what the measurements count, and how far that can be trusted
    score      the sum of the signals: log-odds that a larger model is needed
    threshold  the sum that the score must reach, for each step up from a model to the next larger one
    room       what slice a model needs for one prompt, and which pools may give it
    gates/     what a model must meet to be used at all, one gate a file; every one is always evaluated
    decision   the values that all of this ends in; the explanation is the decision, printed
    engine     `decide`, which puts the above together
    placement  `choose_pool`, which finds the pool for a model

Pure: no I/O, no settings, no clock; the same arguments give the same decision, byte for byte.
"""

from harpoon_cli.routing.decision import (
    Candidate,
    CandidateResult,
    Contribution,
    Decision,
    ExpectedCost,
    GateResult,
    Inputs,
    Known,
    Part,
    Policy,
    Quality,
    Refusal,
    Score,
    Threshold,
    Verdict,
)
from harpoon_cli.routing.engine import decide
from harpoon_cli.routing.placement import choose_pool

__all__ = [
    "Candidate",
    "CandidateResult",
    "Contribution",
    "Decision",
    "ExpectedCost",
    "GateResult",
    "Inputs",
    "Known",
    "Part",
    "Policy",
    "Quality",
    "Refusal",
    "Score",
    "Threshold",
    "Verdict",
    "choose_pool",
    "decide",
]
