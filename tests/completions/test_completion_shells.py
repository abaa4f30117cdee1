"""TAB, pressed in real shells."""

from __future__ import annotations

import pytest

from tests.completions.conftest import Place
from tests.completions.rig import STARTS, Terminal

STATIC = {
    "harpoon rel": ["harpoon", "release"],
    "harpoon config sh": ["harpoon", "config", "show"],
    "harpoon infer --mod": ["harpoon", "infer", "--model"],
    "harpoon infer --pool any --exp": ["harpoon", "infer", "--pool", "any", "--explain"],
    "harpoon pools -o js": ["harpoon", "pools", "-o", "json"],
    "harpoon pools --output=js": ["harpoon", "pools", "--output=json"],
    "harpoon help ex": ["harpoon", "help", "exit-codes"],
    "harpoon config set lease.tt": ["harpoon", "config", "set", "lease.ttl_s"],
    "harpoon infer --file ./quest": ["harpoon", "infer", "--file", "./question.txt"],
    "harpoon infer Wh": ["harpoon", "infer", "Wh"],
    "harpoon infer --system Be": ["harpoon", "infer", "--system", "Be"],
}

LIVE = {
    "harpoon release all": ("leases", ["harpoon", "release", "alloc-1"]),
    "harpoon release other all": ("leases", ["harpoon", "release", "other", "alloc-1"]),
    "harpoon infer --lease all": ("leases", ["harpoon", "infer", "--lease", "alloc-1"]),
    "harpoon infer --lease=all": ("leases", ["harpoon", "infer", "--lease=alloc-1"]),
    "harpoon allocate --pool all": ("pools", ["harpoon", "allocate", "--pool", "alloc-1"]),
    "harpoon allocate -m all": ("models", ["harpoon", "allocate", "-m", "alloc-1"]),
    "harpoon pools --fits all": ("models", ["harpoon", "pools", "--fits", "alloc-1"]),
}

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "x;touch pwned",
    "x|touch pwned",
    "x&&touch pwned",
    "x>pwned",
    "${HOME:-$(touch pwned)}",
    "$HOME",
    "';touch pwned;'",
    '";touch pwned;"',
    "two words",
    "it's",
    'say "no"',
    "back\\slash",
    "*",
    "[a-z]?",
    "!!",
    "#comment",
    "{a,b}",
    "pool:west:1",
    "pool=1",
    "naïve",
    "%s%n",
]
"""Ids that a shell would read as more than a word."""


@pytest.mark.parametrize("shell", STARTS)
def test_commands_options_and_fixed_values_are_completed_without_asking_harpoon(
    shell: str, place: Place
) -> None:
    place.stand_in()
    (place.home / "question.txt").touch()
    with Terminal(shell, place.home, place.environ) as terminal:
        assert {line: terminal.tab(line) for line in STATIC} == STATIC
    assert place.asked() == []


@pytest.mark.parametrize("shell", STARTS)
def test_leases_pools_and_models_are_asked_of_harpoon(shell: str, place: Place) -> None:
    place.stand_in()
    place.offer("alloc-1", "gemma-2b")
    with Terminal(shell, place.home, place.environ) as terminal:
        for line, (kind, words) in LIVE.items():
            assert terminal.tab(line) == words
            assert place.asked()[-1] == f"_complete {kind}"


@pytest.mark.parametrize("shell", STARTS)
def test_a_hostile_id_arrives_as_one_word_and_runs_nothing(shell: str, place: Place) -> None:
    place.stand_in()
    arrived = {}
    with Terminal(shell, place.home, place.environ) as terminal:
        for value in HOSTILE:
            place.offer(value)
            arrived[value] = terminal.tab("harpoon release ")
    assert arrived == {value: ["harpoon", "release", value] for value in HOSTILE}
    assert not (place.home / "pwned").exists()


@pytest.mark.parametrize("shell", STARTS)
def test_nothing_is_said_where_harpoon_is_missing_or_fails(shell: str, place: Place) -> None:
    program = place.home / "broken"
    program.write_text("#!/bin/sh\necho trouble >&2\nexit 1\n")
    program.chmod(0o755)
    environ = place.environ | {"PATH": "/usr/bin:/bin"}
    with Terminal(shell, place.home, environ) as terminal:
        assert terminal.tab("harpoon release x") == ["harpoon", "release", "x"]
        (place.home / "harpoon").symlink_to(program)
        assert terminal.tab("./harpoon release x") == ["./harpoon", "release", "x"]
        assert "trouble" not in terminal.seen


@pytest.mark.parametrize("shell", STARTS)
def test_the_harpoon_that_was_typed_by_its_path_is_the_one_that_is_asked(shell: str, place: Place) -> None:
    place.stand_in()
    place.offer("alloc-1")
    with Terminal(shell, place.home, place.environ | {"PATH": "/usr/bin:/bin"}) as terminal:
        assert terminal.tab("bin/harpoon release all") == ["bin/harpoon", "release", "alloc-1"]
