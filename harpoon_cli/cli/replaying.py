"""Makes a recorded decision again, from its record and the weights alone; asks no platform."""

from __future__ import annotations

from pathlib import Path

from harpoon_cli.cli.explaining import views_of
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.records import read_record, value_of
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import HarpoonError, NotAsExpected, UsageFault
from harpoon_cli.render.envelope import plain
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.routing.counterfactuals import explained
from harpoon_cli.routing.decision import Inputs
from harpoon_cli.routing.engine import decide_on

_HINT = "harpoon route-explain PROMPT -o json > FILE, or infer with --explain"


def replayed(session: Session, path: Path) -> Outcome:
    """The decision of a record, made again: the same bytes as `-o json` had, or `NotAsExpected` with it."""
    record = read_record(path)
    told = record.data.get("decision") if record.command == "infer" else record.data
    if not isinstance(told, dict) or told.get("inputs") is None:
        raise UsageFault(
            f"the record {path} holds no decision with its inputs",
            hint=_HINT,
        )
    weights = installed()
    inputs = value_of(Inputs, told["inputs"], "inputs")
    try:
        decision = explained(decide_on(inputs, weights), weights)
        again = plain(decision)
    except (ValueError, ArithmeticError) as cause:  # numbers that no platform and no setting could have given
        raise UsageFault(f"the record {path} cannot be replayed: {cause}", hint=_HINT) from cause
    assert isinstance(again, dict), "a decision is an object"
    differing = [name for name, value in again.items() if told.get(name) != value]
    errors: list[HarpoonError] = []
    if differing:
        errors.append(
            NotAsExpected(
                f"the record says otherwise in {', '.join(differing)}",
                hint="routing has other weights, or is of another version, than when it was recorded",
            )
        )
    session.endpoint_name = record.endpoint
    return Outcome(
        data=decision,
        views=views_of(decision),
        ids=[decision.model],
        notes=record.notes if record.command == "route-explain" else (),
        errors=errors,
    )
