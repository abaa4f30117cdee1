"""Makes a recorded decision again, from its record and the weights alone; asks no platform."""

from __future__ import annotations

from pathlib import Path

from harpoon_cli.cli.explaining import outcome_of
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.records import read_record, value_in
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import NotAsExpected, UsageFault
from harpoon_cli.plain import plain
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.routing.decision import Inputs
from harpoon_cli.values import replace

_HINT = "harpoon route-explain PROMPT -o json > FILE, or infer with --explain"


def replayed(session: Session, path: Path) -> Outcome:
    """The decision of a record, made again: the same bytes as `-o json` had, or `NotAsExpected` with it.

    A record that says more than is known here is refused, or told as another; what its envelope holds beside
    the decision is not looked at.
    """
    record = read_record(path)
    told = record.data.get("decision") if record.command == "infer" else record.data
    if not isinstance(told, dict) or told.get("inputs") is None:
        raise UsageFault(
            f"the record {path} holds no decision with its inputs",
            hint=_HINT,
        )
    inputs = value_in(Inputs, told["inputs"], "inputs")
    try:
        found = outcome_of(inputs, installed())
        again = plain(found.data)
    except (ValueError, ArithmeticError) as cause:  # numbers that no platform and no setting could have given
        raise UsageFault(f"the record {path} cannot be replayed: {cause}", hint=_HINT) from cause
    assert isinstance(again, dict), "a decision is an object"
    names = [*again, *(name for name in told if name not in again)]
    errors = list(found.errors)
    if differing := [name for name in names if name not in told or again.get(name, ...) != told[name]]:
        errors.insert(
            0,
            NotAsExpected(
                f"the record says otherwise in {', '.join(name[:60] for name in differing)}",
                hint="routing has other weights, or is of another version, than when it was recorded",
            ),
        )
    session.endpoint_name = record.endpoint
    notes = record.notes if record.command == "route-explain" else ()
    return replace(found, notes=notes, errors=errors)
