"""Plays a scenario: prepares it, starts its commands, ends them, lets recover, and has it judged."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from time import monotonic, sleep

from tests.chaos.judge import Verdict, judge_end, judge_leases, judge_words, ours_live
from tests.chaos.place import ChaosPlatform, Ended, Home, Started, Tenant, home
from tests.chaos.scenario import COMMANDS, Kill, Scenario

PASSES = 2
"""How many recovery commands may be needed."""


def play(platform: ChaosPlatform, scenario: Scenario, mark: str) -> Verdict:
    """Play a scenario once; `mark` is unlike that of every other scenario that is played meanwhile."""
    verdict = Verdict(scenario)
    tenant = platform.tenant(scenario.nature)
    try:
        with home(tenant, scenario.nature, mark) as place:
            _play(tenant, place, scenario, verdict)
    finally:
        tenant.close()
    return verdict


def _play(tenant: Tenant, place: Home, scenario: Scenario, verdict: Verdict) -> None:
    before = _prepared(place, scenario)
    tenant.arm(scenario.faults, scenario.trap)
    started = [
        _start(place, name, before, kill)
        for name, kill in zip(scenario.commands, scenario.kill_of_each, strict=True)
    ]
    signalled = _end_them(tenant, started, scenario)
    if any(kill and kill.whom == "shell" for kill in scenario.kill_of_each):
        place.wait_until_alone()  # harpoon outlives its shell
    ends = [one.ended() for one in started]
    at_exit = tenant.report()
    for name, kill, end, at_s in zip(scenario.commands, scenario.kill_of_each, ends, signalled, strict=True):
        judge_end(verdict, name, kill, end, at_s, at_exit)
    verdict.live_at_end = len(ours_live(at_exit))
    if not scenario.is_late:
        tenant.heal()
    if scenario.damage is not None:
        place.damage(scenario.damage)
    excused = _kept(ends, scenario, before)
    passes = _recover(tenant, place, verdict, excused)
    judge_leases(verdict, tenant.report(), place, excused, passes)
    judge_words(verdict, [*ends, *passes])
    verdict.log = [f"{one.status} {one.out[:300]!r} {one.err[:900]!r}" for one in [*ends, *passes]]


def _prepared(place: Home, scenario: Scenario) -> str | None:
    """The id of a lease that is there before, where a command is to release one."""
    if not scenario.releases:
        return None
    ended = place.run(*COMMANDS["allocate"])
    assert ended.status == 0, ended
    return ended.out.strip()


def _start(place: Home, name: str, lease_id: str | None, kill: Kill | None) -> Started:
    arguments = list(COMMANDS[name])
    if name == "release" and lease_id is not None:
        arguments.append(lease_id)
    before: list[str] = []
    if kill is not None and kill.system_call is not None:
        name, _, count = kill.system_call.partition(" ")
        inject = f"inject={name}:signal={kill.signal}:when={count}"
        before = ["strace", "-qq", "-o", "/dev/null", "-e", inject]
    if kill is not None and kill.whom == "shell":
        before = ["sh", "-c", '"$@"; exit $?', "sh"]
    return place.start(arguments, before=before)


def _end_them(tenant: Tenant, started: Sequence[Started], scenario: Scenario) -> list[float | None]:
    """Send the signals; when each command got its last one, None where it got none."""
    began_s = monotonic()
    kills = scenario.kill_of_each
    moments: list[float | None] = [None] * len(started)
    if scenario.trap is not None and tenant.caught(started[0].process):
        for index, kill in enumerate(kills):
            if kill is not None:
                moments[index] = _signal(started[index].process, kill)
        if not any(kill and kill.go_late for kill in kills):
            tenant.go()
    timed = [(kill.after_s, index) for index, kill in enumerate(kills) if kill and kill.after_s is not None]
    for after_s, index in sorted(timed):
        sleep(max(0.0, began_s + after_s - monotonic()))
        kill = kills[index]
        assert kill is not None
        moments[index] = _signal(started[index].process, kill)
    return moments


def _signal(process: subprocess.Popen[bytes], kill: Kill) -> float | None:
    if process.poll() is not None:
        return None
    number = signal.Signals[f"SIG{kill.signal}"]
    _send(process, kill, number)
    if kill.second_after_s is not None:
        sleep(kill.second_after_s)
        if process.poll() is None:
            _send(process, kill, number)
    return monotonic()


def _send(process: subprocess.Popen[bytes], kill: Kill, number: signal.Signals) -> None:
    try:
        if kill.whom == "group":
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass


def _kept(ends: Iterable[Ended], scenario: Scenario, before: str | None) -> set[str]:
    """The ids of leases that somebody has been handed: they are meant to outlive their command."""
    kept = {
        end.out.strip()
        for end, name in zip(ends, scenario.commands, strict=True)
        if name == "allocate" and (end.status == 0 or end.status < 0) and end.out.endswith("\n")
    }
    return kept | ({before} if before else set())


def _recover(tenant: Tenant, place: Home, verdict: Verdict, excused: set[str]) -> list[Ended]:
    """At most `PASSES` recovery passes; a second one only where the first has left something."""
    passes: list[Ended] = []
    recovery = verdict.scenario.recovery
    for number in range(0 if recovery == "keeper" else PASSES):
        passes.append(place.run(*COMMANDS["infer" if recovery == "next" else "overdue"]))
        left = {one["id"] for one in ours_live(tenant.report())} - excused
        if not left and not (verdict.scenario.is_late and number == 0):
            break
        _let_go(tenant)
    _let_go(tenant)
    verdict.recoveries = [one.status for one in passes]
    if not _is_quiet(place, verdict, excused):
        verdict.wrong("process left", f"{place.left_behind()}")
    return passes


def _is_quiet(place: Home, verdict: Verdict, excused: set[str]) -> bool:
    """Has everything ended that was started, or does it stay for a reason?

    A keeper stays for a kept lease that the platform would not end, and for what is not settled yet.
    """

    def stays() -> bool:
        return bool((excused and not verdict.scenario.nature.ttl) or place.open_rows())

    if verdict.scenario.recovery != "keeper" and stays():
        return True
    return place.wait_until_alone() or stays()


def _let_go(tenant: Tenant) -> None:
    tenant.go()
    tenant.heal()
