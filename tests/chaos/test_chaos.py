"""Whole command lines on a platform that fails, killed at points of the protocol: nothing may leak.

A small fixed set of what `benchmarks/kills.py` does by the thousand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.faults import Fault, Trap
from tests.chaos.judge import Verdict
from tests.chaos.place import ChaosPlatform, home
from tests.chaos.plans import drawn
from tests.chaos.player import play
from tests.chaos.scenario import Kill, Scenario
from tests.chaos.tenant import Nature

AT_ONCE = 4
"""Scenarios that are played at the same time: most of each is waiting."""

SLOW_IS_FINE_HERE = "slow exit"
"""How fast a command ends depends on what else this machine does; `benchmarks/kills.py` judges it."""

LATE = Nature(keys=False, list_lag_s=0.5, hidden_s=0.5, starts_after_s=0.2, releases_in_s=0.2, page=1)

POINTS = [
    Scenario(
        f"{command}: {name} at {call} {point}",
        (command,),
        nature=nature,
        trap=Trap(call, point),
        kills=(kill,),
    )
    for command, call, point, name, kill, nature in (
        ("infer", "allocate", "head", "KILL", Kill("KILL"), Nature()),
        ("infer", "allocate", "committed", "KILL", Kill("KILL", go_late=True), Nature()),
        ("stream", "inference", "half", "KILL", Kill("KILL", whom="group"), LATE),
        ("stream", "inference", "half", "TERM", Kill("TERM"), Nature()),
        ("allocate", "allocate", "committed", "KILL", Kill("KILL"), LATE),
        ("allocate", "allocate", "half", "HUP", Kill("HUP"), Nature()),
        ("allocate", "allocate", "asked", "INT twice", Kill("INT", second_after_s=0.1), Nature()),
        ("infer", "release", "committed", "INT", Kill("INT"), LATE),
        ("release", "release", "asked", "KILL", Kill("KILL"), Nature()),
    )
]

FAULTS = [
    Scenario(f"{command}: {fault.form} at {fault.call}", (command,), nature=nature, faults=(fault,))
    for command, fault, nature in (
        ("infer", Fault("allocate", "reset", effect=True), Nature()),
        ("infer", Fault("allocate", "200-error", effect=True), LATE),
        ("allocate", Fault("allocate", "strangers", effect=True), Nature()),
        ("allocate", Fault("allocate", "200-cut", effect=True), LATE),
        ("infer", Fault("inference", "cut", effect=True), Nature()),
        ("stream", Fault("inference", "hang"), Nature()),
        ("infer", Fault("release", "pretend"), Nature()),
        ("infer", Fault("release", "404-html", times=2), Nature()),
        ("release", Fault("release", "503", effect=True), LATE),
    )
]

TOGETHER = [
    Scenario("three at once", ("infer", "stream", "overdue"), kills=(Kill("KILL", after_s=0.9), None, None)),
    Scenario(
        "keeper alone", ("stream",), trap=Trap("inference", "half"), kills=(Kill("KILL"),), recovery="keeper"
    ),
]


@pytest.fixture(scope="module")
def platform() -> Iterator[ChaosPlatform]:
    platform = ChaosPlatform()
    yield platform
    platform.close()


def played(platform: ChaosPlatform, scenarios: Sequence[Scenario]) -> list[Verdict]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        numbered = enumerate(scenarios)
        return list(pool.map(lambda one: play(platform, one[1], f"test-{one[1].name}-{one[0]}"), numbered))


@pytest.mark.parametrize(
    "scenarios", [POINTS, FAULTS, TOGETHER], ids=["kills at points", "faults", "together"]
)
def test_nothing_leaks_and_nothing_false_is_said(
    platform: ChaosPlatform, scenarios: Sequence[Scenario]
) -> None:
    wrong = {
        verdict.scenario.name: (problems, verdict.log)
        for verdict in played(platform, scenarios)
        if (problems := [one for one in verdict.problems if one[0] != SLOW_IS_FINE_HERE])
    }
    assert wrong == {}


def test_a_kill_in_the_middle_leaves_something_that_the_recovery_ends(platform: ChaosPlatform) -> None:
    scenario = Scenario("stream", ("stream",), trap=Trap("inference", "half"), kills=(Kill("KILL"),))
    [verdict] = played(platform, [scenario])
    assert (verdict.statuses, verdict.live_at_end, verdict.problems) == ([-9], 1, [])


def test_the_same_seed_and_number_draw_the_same_scenario() -> None:
    assert [drawn(7, number) for number in range(50)] == [drawn(7, number) for number in range(50)]
    assert drawn(7, 0) != drawn(8, 0)


def test_the_keeper_ends_a_kept_lease_that_its_platform_would_not_end(platform: ChaosPlatform) -> None:
    nature = Nature(ttl=False)
    tenant = platform.tenant(nature)
    with home(tenant, nature, "kept") as place:
        ended = place.run("allocate", "-m", "gemma-2b", "--ttl", "2", "-o", "json")
        told = json.loads(ended.out)
        promise = f"a process in the background ends lease {told['data']['lease_id']} at "
        assert any(note.startswith(promise) for note in told["notes"])
        assert place.wait_until_alone()
        assert [one["id"] for one in tenant.report()["leases"] if one["live"]] == ["stranger-0", "stranger-1"]
        assert place.open_rows() == []
    tenant.close()
