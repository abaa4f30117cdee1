"""What a command's keeper is told, and what a person is where there can be none."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harpoon_cli.cli.keeping import Keeping
from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.client.service import Features
from harpoon_cli.domain import (
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    Owner,
    PoolId,
    Reference,
    Requirements,
)
from harpoon_cli.errors import StorageFault
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.screen import Screen
from harpoon_cli.values import replace
from tests.cli.rig import Operator

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WITH_ENDS = Features(ttl=True)
RELEASE = [sys.executable, "-P", "-m", "harpoon_cli", "release"]

Told = list[tuple[str, Sequence[object]]]


def lease(name: str, *, ends: datetime | None = AT, ttl_s: int = 900) -> LeaseRecord:
    request = LeaseRequest(Reference(name), "key", PoolId("pool"), Requirements(1, 1.0), ttl_s, {})
    record = LeaseRecord(
        request, "https://here", Owner("me", "here"), LeaseState.HELD, AT, LeaseId(f"id-{name}")
    )
    return replace(record, expires_at=ends)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the keeper is told, in place of one: what a real one does with it has tests of its own."""
    told: Told = []

    class Listening:
        def __init__(self, words: Sequence[str]) -> None:
            told.append(("gone", words))

        def at(self, moment: datetime, words: Sequence[str]) -> bool:
            told.append(("at", [moment, *words]))
            return True

        def done(self, *, stays: bool) -> None:
            told.append(("done", [stays]))

        def leave(self) -> None:
            told.append(("leave", []))

    monkeypatch.setattr("harpoon_cli.cli.keeping.Keeper", Listening)
    return told


def keeping(
    features: Features = WITH_ENDS, options: CommonOptions | None = None, *, live: bool = True
) -> tuple[Keeping, list[str]]:
    said: list[str] = []
    return Keeping(options or CommonOptions(), features, said.append, said.append, live=live), said


def test_a_release_is_asked_for_with_the_settings_of_the_command(told: Told) -> None:
    keeping(options=CommonOptions(config=Path("here.toml"), profile="staging", verbose=2))
    config = str(Path.cwd() / "here.toml")
    wanted = [*RELEASE, "--overdue", "--config", config, "--profile", "staging", "--live"]
    assert told == [("gone", wanted)]


def test_what_was_leased_of_the_sandbox_is_looked_for_there(told: Told) -> None:
    keeping(live=False)
    assert told == [("gone", [*RELEASE, "--overdue"])]


def test_a_command_that_leaves_nothing_open_needs_no_keeper(told: Told) -> None:
    ours, said = keeping()
    ours.take_over([], None)
    ours.end(well=True)
    assert (told[1:], said) == ([("done", [False])], [])


def test_a_kept_lease_that_could_not_be_written_down_as_one_is_the_keeper_s(told: Told) -> None:
    ours, _ = keeping()
    ours.take_over([lease("a")], Reference("a"))
    ours.end(well=False)
    assert told[1:] == [("leave", [])]


def test_a_command_that_never_came_to_its_end_leaves_all_to_the_keeper(told: Told) -> None:
    ours, _ = keeping()
    ours.end(well=True)
    assert told[1:] == [("leave", [])]


def test_a_kept_lease_that_ends_by_itself_needs_none_either(told: Told) -> None:
    ours, said = keeping()
    ours.take_over([lease("a")], Reference("a"))
    ours.end(well=True)
    assert (told[1:], said) == ([("done", [False])], [])


def test_a_lease_that_is_open_but_not_kept_is_the_keeper_s(told: Told) -> None:
    ours, said = keeping()
    ours.take_over([lease("a"), lease("b")], Reference("b"))
    ours.end(well=True)
    assert told[1:] == [("leave", [])]
    assert said == ["a process in the background goes on trying to give it back, for an hour"]


@pytest.mark.parametrize(
    ("features", "found"),
    [
        (Features(ttl=True), False),
        (Features(lists=True), False),
        (Features(lists=True, metadata=True), True),
        (Features(idempotency_keys=True), True),
    ],
)
def test_a_lease_that_only_a_person_can_find_is_not_said_to_be_looked_for(
    told: Told, features: Features, found: bool
) -> None:
    ours, said = keeping(features)
    unsure = replace(lease("a"), state=LeaseState.UNSURE, lease_id=None)
    ours.take_over([unsure], None)
    ours.end(well=True)
    assert told[1:] == ([("leave", [])] if found else [("done", [False])])
    assert bool(said) == found


def test_where_the_ledger_cannot_say_what_is_open_it_is_the_keeper_s(told: Told) -> None:
    ours, _ = keeping()
    ours.take_over(None, None)
    ours.end(well=True)
    assert told[1:] == [("leave", [])]


@pytest.mark.parametrize(
    ("features", "ends"), [(Features(ttl=False), AT), (WITH_ENDS, None)], ids=["no ends", "no end for this"]
)
def test_a_kept_lease_that_the_platform_does_not_end_is_ended_by_the_keeper(
    told: Told, features: Features, ends: datetime | None
) -> None:
    ours, said = keeping(features)
    ours.take_over([lease("a", ends=ends)], Reference("a"))
    ours.end(well=True)
    moment = datetime(2026, 11, 22, 12, 15, tzinfo=UTC)
    assert told[1:] == [("at", [moment, *RELEASE, "a", "--live"]), ("done", [True])]
    assert said == [
        "a process in the background ends lease id-a at 2026-11-22 12:15:00 UTC; if this machine is off by "
        "then, the next command does"
    ]


def test_a_time_that_no_calendar_holds_is_no_end(told: Told) -> None:
    ours, said = keeping(Features(ttl=False))
    ours.take_over([lease("a", ttl_s=10**12)], Reference("a"))
    ours.end(well=True)
    assert (told[1:], said) == ([("done", [False])], [])


def test_without_a_keeper_a_lease_with_an_end_is_taken_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/gone/python")
    ours, said = keeping()
    ours.take_over([lease("a")], None)
    ours.end(well=True)
    assert said == [
        "no process can be started to watch over the lease: No such file or directory; if this command is "
        "killed, the lease goes on to the end of its time"
    ]


def test_without_a_keeper_a_lease_without_an_end_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/gone/python")
    with pytest.raises(StorageFault, match="this platform would not end it either"):
        keeping(Features(ttl=False))


def test_nothing_is_asked_for_where_there_can_be_neither_keeper_nor_end(
    live: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.environ["HARPOON_PLATFORM__TTL"] = "false"
    with monkeypatch.context() as patch:
        patch.setattr("harpoon_cli.leases.keeper.SCRIPT", Path("/gone/keeper.py"))
        refused = live("allocate", "-m", "gemma-270m", "-o", "json")
    assert refused.status == 11
    assert live("leases", "-q").out == ""


def _kept(live: Operator) -> list[int]:
    with closing(sqlite3.connect(live.home / ".local/state/harpoon/ledger.db")) as ledger:
        return [kept for (kept,) in ledger.execute("SELECT kept FROM leases")]


def test_a_lease_is_kept_only_once_its_result_has_been_told(
    live: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, when_told = Screen.finish, []

    def telling(screen: Screen, outcome: Outcome, *, command: str, endpoint: str | None) -> int:
        when_told.append(_kept(live))
        return finish(screen, outcome, command=command, endpoint=endpoint)

    monkeypatch.setattr(Screen, "finish", telling)
    assert live("allocate", "-m", "gemma-270m", "-q").status == 0
    assert (when_told, _kept(live)) == ([[0]], [1])


def test_a_release_has_no_keeper(live: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    for file in (live.home / ".local/state/harpoon").glob("ledger.db*"):
        file.unlink()
    monkeypatch.setattr("harpoon_cli.cli.keeping.Keeper", lambda _words: pytest.fail("it has"))
    assert live("release", lease).status == 0
