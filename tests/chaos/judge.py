"""Judges what came of a scenario: leases, statuses, words. Starts nothing and ends nothing."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.place import HUNG, Ended, Home
from tests.chaos.scenario import GOOD, Kill, Scenario
from tests.chaos.tenant import TEXT

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

EXIT_S = 3.0
SECOND_EXIT_S = 0.5
"""How long after a first and a second signal a command may take to end."""

BAD_WORDS = ("Traceback", "Exception ignored", "never retrieved", "never awaited", "a bug in harpoon")
LOCKED = ("database is locked", "has kept it busy")

Report = dict[str, Any]
"""What the platform tells of its leases and calls."""


@dataclass
class Verdict:
    """What was wrong, by kind, and what is worth counting."""

    scenario: Scenario
    problems: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    recoveries: list[int] = field(default_factory=list)
    exits_s: list[float] = field(default_factory=list)
    told: int = 0
    cut_starts: int = 0
    live_at_end: int = 0
    log: list[str] = field(default_factory=list)

    def wrong(self, kind: str, what: str) -> None:
        self.problems.append((kind, what))


def judge_end(
    verdict: Verdict, name: str, kill: Kill | None, end: Ended, at_s: float | None, at_exit: Report
) -> None:
    """How one command ended, and what it left; at_s is when it got its last signal."""
    verdict.statuses.append(end.status)
    alone = len(verdict.scenario.commands) == 1
    if HUNG in end.err:
        verdict.wrong("hung", f"{name}: {end.err[-200:]}")
    if alone and len(_ours(at_exit)) > 1:
        verdict.wrong("duplicate", f"{name} leased {_ids(_ours(at_exit))}")
    if end.status == 0:
        _judge_success(verdict, name, end, at_exit)
    if kill is None or kill.signal == "KILL" or kill.whom == "shell":
        return
    if at_s is not None:
        _judge_promptness(verdict, kill, end.ended_at_s - at_s)
    if alone:
        _judge_signalled(verdict, kill, end, at_exit)


def _judge_success(verdict: Verdict, name: str, end: Ended, at_exit: Report) -> None:
    # A stranger's answer to a prompt cannot be told from ours.
    if name in ("infer", "stream") and end.out.count(TEXT.strip()) != 2 and "Somebody" not in end.out:
        verdict.wrong("false success", f"{name}: status 0 with {end.out[:200]!r}")
    if name == "allocate" and not any(one["id"] == end.out.strip() for one in _ours(at_exit)):
        verdict.wrong("false success", f"allocate: status 0 with {end.out[:200]!r}")
    if name == "pools" and end.out != "pool\n":
        verdict.wrong("false success", f"pools: status 0 with {end.out[:200]!r}")
    alone = len(verdict.scenario.commands) == 1
    if alone and name != "allocate" and ours_live(at_exit):
        verdict.wrong(
            "false all-clear", f"{name}: status 0, live {_ids(ours_live(at_exit))}: {end.err[-300:]}"
        )


def _judge_promptness(verdict: Verdict, kill: Kill, took_s: float) -> None:
    verdict.exits_s.append(took_s)
    allowed_s = EXIT_S if kill.second_after_s is None else SECOND_EXIT_S
    if took_s > allowed_s:
        verdict.wrong("slow exit", f"{took_s:.2f} s after {kill.signal}")


def _judge_signalled(verdict: Verdict, kill: Kill, end: Ended, at_exit: Report) -> None:
    number = signal.Signals[f"SIG{kill.signal}"]
    live = ours_live(at_exit)
    confirmed = end.status in (STATUSES[number], -number)
    if confirmed and live and not verdict.scenario.releases:
        verdict.wrong("false all-clear", f"{end.status}, live {_ids(live)}: {end.err[-300:]}")
    easy = not verdict.scenario.faults and verdict.scenario.nature == GOOD
    known = (STATUSES[number], -number, 0)
    if (
        easy
        and kill.second_after_s is None
        and end.status not in known
        and not _is_the_interpreter_s(end.err)
    ):
        verdict.wrong("wrong status", f"{end.status} after {kill.signal}: {end.err[-300:]}")


def judge_leases(
    verdict: Verdict, report: Report, place: Home, excused: set[str], passes: Sequence[Ended]
) -> None:
    """What is left in the end, after the recovery's passes; `excused` are ids that are meant to be left."""
    for lease in ours_live(report):
        if lease["id"] in excused:
            continue
        reference = lease["metadata"].get("reference", "?")
        if _is_told(verdict.scenario, lease, passes):
            verdict.told += 1
            continue
        rows = [state for state, row in place.open_rows() if row == reference]
        verdict.wrong("leak", f"{lease['id']} {reference} row {rows or 'closed'}")
        if passes and passes[-1].status == 0 and verdict.scenario.recovery == "overdue":
            verdict.wrong("false all-clear", f"the last pass ended with 0, live {lease['id']}")
    _judge_ended(verdict, report, excused)
    _judge_duplicates(verdict, report)
    if fault := place.corrupt():
        verdict.wrong("corrupt ledger", fault)


def _judge_ended(verdict: Verdict, report: Report, excused: set[str]) -> None:
    """Leases that were nobody's to end."""
    scenario = verdict.scenario
    if scenario.commands == ("allocate",) and verdict.statuses == [0] and scenario.damage is None:
        for lease_id in excused - {one["id"] for one in ours_live(report)}:
            verdict.wrong("kept lease ended", lease_id)
    for lease in report["leases"]:
        if lease["stranger"] and lease["released_at"] is not None:
            verdict.wrong("stranger ended", lease["id"])


def _is_told(scenario: Scenario, lease: dict[str, Any], passes: Sequence[Ended]) -> bool:
    """Is a lease that could not be ended named, where nothing could be done about it?"""
    if scenario.damage is not None and scenario.commands == ("allocate",):
        # Nothing tells a lease that was lost with the ledger from one that is kept, but that it is found.
        return any(f"found lease {lease['id']} of ours" in one.err for one in passes)
    searchable = scenario.nature.lists and scenario.nature.metadata
    reference = lease["metadata"].get("reference", "?")
    if searchable or not passes or reference not in passes[-1].err:
        return False
    # A command that does its own work says it in a note; one that is asked to settle it, by its status.
    return scenario.recovery == "next" or passes[-1].status == 9


def _judge_duplicates(verdict: Verdict, report: Report) -> None:
    leases = Counter(one["metadata"].get("reference") for one in _ours(report))
    for reference, count in leases.items():
        if count > 1:
            verdict.wrong("duplicate", f"{count} leases for {reference}")
    if verdict.scenario.nature.keys:
        return
    unsure: set[str] = set()
    for call in report["calls"]:
        if call["call"] != "allocate":
            continue
        if call["reference"] in unsure:
            verdict.wrong("second POST", f"{call['reference']} without idempotency keys")
        if not (call.get("fault", "").startswith("429") and not call["effect"]):
            unsure.add(call["reference"])


def judge_words(verdict: Verdict, ends: Iterable[Ended]) -> None:
    for end in ends:
        said = end.out + end.err
        for word in (one for one in BAD_WORDS if one in said):
            if _is_the_interpreter_s(said):
                verdict.cut_starts += 1
                break
            at = max(0, said.index(word) - 100)
            verdict.wrong("traceback", said[at : at + 1200])
        if any(word in said for word in LOCKED):
            verdict.wrong("locked", said[-300:])


def _is_the_interpreter_s(said: str) -> bool:
    """Is a traceback one of Ctrl-C before Python has come to our first line? We cannot prevent that."""
    return said.rstrip().endswith("KeyboardInterrupt") and "/harpoon_cli/" not in said


def _ours(report: Report) -> list[dict[str, Any]]:
    return [one for one in report["leases"] if not one["stranger"]]


def ours_live(report: Report) -> list[dict[str, Any]]:
    return [one for one in _ours(report) if one["live"]]


def _ids(leases: Iterable[Report]) -> str:
    return ", ".join(one["id"] for one in leases)
