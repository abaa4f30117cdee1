"""Draws scenarios at random, by families; the same number from the same seed is the same scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

from tests.chaos.faults import FORMS, POINTS, REFUSALS, Fault, Trap
from tests.chaos.place import DAMAGES
from tests.chaos.scenario import GOOD, Kill, Scenario
from tests.chaos.tenant import Nature

SIGNALS = ("KILL", "KILL", "TERM", "INT", "HUP")
POLITE = ("TERM", "INT", "HUP")
LONGEST_RUN_S = 1.2
"""A little more than a command takes: random moments lie in between."""

CALLS_OF = {
    "infer": ("pools", "allocate", "look", "inference", "release"),
    "stream": ("pools", "allocate", "look", "inference", "release"),
    "allocate": ("pools", "allocate", "look"),
    "release": ("look", "release"),
    "release-all": ("look", "release"),
    "pools": ("pools",),
}
"""The calls that a command makes where nothing goes wrong."""


def natures(random: Random) -> Nature:
    """Mostly a good platform; else one that lacks something, or is late."""
    if random.random() < 0.5:
        return GOOD
    lists = random.random() < 0.75
    return Nature(
        keys=random.random() < 0.6,
        lists=lists,
        metadata=random.random() < 0.75,
        ttl=random.random() < 0.8,
        list_lag_s=random.choice((0.0, 0.0, 0.5, 2.0)),
        hidden_s=random.choice((0.0, 0.0, 0.5, 2.0)),
        starts_after_s=random.choice((0.0, 0.0, 0.3)),
        releases_in_s=random.choice((0.0, 0.0, 0.4)),
        page=random.choice((1, 2, 50)),
    )


def at_a_point(random: Random) -> Scenario:
    """A signal while a request is at a point of the protocol."""
    command = random.choice(("infer", "stream", "stream", "allocate", "allocate", "release"))
    call = random.choice(CALLS_OF[command])
    trap = Trap(call, random.choice(POINTS), 2 if call == "look" and random.random() < 0.4 else 1)
    name = random.choice(SIGNALS)
    second_s = random.choice((None, None, 0.05, 0.3)) if name in POLITE else None
    whom = random.choice(("process", "process", "group", "shell" if name == "KILL" else "group"))
    late = name == "KILL" and whom == "process" and random.random() < 0.25
    kill = Kill(name, whom=whom, second_after_s=second_s, go_late=late)
    return _recovered(random, Scenario("point", (command,), natures(random), trap=trap, kills=(kill,)))


def at_a_moment(random: Random) -> Scenario:
    """A signal at a random moment after the start."""
    command = random.choice(("infer", "stream", "allocate", "release", "overdue"))
    kill = Kill(random.choice(SIGNALS), after_s=random.uniform(0.0, LONGEST_RUN_S))
    return _recovered(random, Scenario("moment", (command,), natures(random), kills=(kill,)))


def at_once(random: Random) -> Scenario:
    """Several commands on one ledger, each killed at a moment of its own, or not at all."""
    count = random.randint(2, 4)
    names = ("infer", "stream", "allocate", "overdue", "release-all")
    commands = ("infer", *random.choices(names, k=count - 1))
    kills = tuple(
        Kill(random.choice(SIGNALS), after_s=random.uniform(0.2, count * LONGEST_RUN_S * 0.7))
        if random.random() < 0.7
        else None
        for _ in range(count)
    )
    return _recovered(random, Scenario("at once", commands, natures(random), kills=kills))


def faulty(random: Random) -> Scenario:
    """One to four faults, and sometimes a signal in between."""
    command = random.choice(("infer", "stream", "allocate", "release"))
    faults = tuple(_fault(random, command) for _ in range(random.randint(1, 4)))
    kill = Kill(random.choice(SIGNALS), after_s=random.uniform(0.3, 2.5)) if random.random() < 0.3 else None
    return _recovered(random, Scenario("faults", (command,), natures(random), faults, kills=(kill,)))


def without_ledger(random: Random) -> Scenario:
    """A kill at a point of the protocol, and then something happens to the ledger."""
    scenario = replace(at_a_point(random), name="ledger", damage=random.choice(DAMAGES), recovery="overdue")
    nature = scenario.nature  # without a list that tells whose a lease is, nothing finds it
    return replace(scenario, nature=replace(nature, lists=True, metadata=True))


def _fault(random: Random, command: str) -> Fault:
    call = random.choice((*CALLS_OF[command], "allocate", "list", "any", "connection"))
    if call == "connection":
        return Fault(call, random.choice(("reset", "close")), nth=random.randint(1, 3))
    nth = random.randint(1, 6) if call == "any" else random.randint(1, 2)
    times = random.choice((1, 1, 1, 2, 3))
    form = random.choice(FORMS)
    return Fault(call, form, random.random() < 0.5 and _can_act(call, form), nth, times)


def _can_act(call: str, form: str) -> bool:
    """May a platform that is not a liar answer so after it has done what was asked?"""
    return form != "pretend" and not (call in ("allocate", "any") and form in REFUSALS)


def _recovered(random: Random, scenario: Scenario) -> Scenario:
    """With a way of recovery: a sweep, the next command, or, where that can do it alone, the keeper."""
    searchable = scenario.nature.lists and scenario.nature.metadata
    ways = ("overdue", "overdue", "next", "keeper" if searchable else "overdue")
    return replace(scenario, recovery=random.choice(ways))


FAMILIES: dict[str, tuple[Callable[[Random], Scenario], float]] = {
    "point": (at_a_point, 0.35),
    "moment": (at_a_moment, 0.25),
    "at once": (at_once, 0.15),
    "faults": (faulty, 0.2),
    "ledger": (without_ledger, 0.05),
}
"""Each family's maker, and its share of a run."""


def drawn(seed: int, number: int, families: tuple[str, ...] = ()) -> Scenario:
    """The scenario of that number; `families` limits it to these (none named: all)."""
    random = Random(f"{seed}/{number}")
    names = families or tuple(FAMILIES)
    [name] = random.choices(names, [FAMILIES[one][1] for one in names])
    return FAMILIES[name][0](random)


def single_faults() -> Iterator[Scenario]:
    """Every form of fault once on every call of every command, with and without its effect."""
    for command in ("infer", "stream", "allocate", "release"):
        for call in CALLS_OF[command]:
            for form in FORMS:
                for effect in (False, True) if _can_act(call, form) else (False,):
                    yield Scenario("single fault", (command,), faults=(Fault(call, form, effect),))


def system_calls(command: str, signal: str, calls: Sequence[str]) -> Iterator[Scenario]:
    """A signal at each of these system calls of a command, counted by strace."""
    for call in calls:
        yield Scenario("system call", (command,), kills=(Kill(signal, system_call=call),))
