"""Leases are listed and released although our own state cannot be used; and what lists hide is told."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from harpoon_cli.errors import Exit
from tests.cli.rig import Operator, Ran
from tests.servers import Conversation, answer, served

GEMMA = ("-m", "gemma-270m")
LEDGER = ".local/state/harpoon/ledger.db"


def lose_the_state(harpoon: Operator) -> None:
    """The state directory cannot even be made, as on a disk that is read-only."""
    blocked = harpoon.home / "blocked"
    blocked.write_text("")
    harpoon.environ["XDG_STATE_HOME"] = str(blocked / "state")


def with_a_full_disk(harpoon: Operator, *line: str) -> Ran:
    """A process whose files cannot grow."""

    def nothing_can_be_written() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    done = subprocess.run(
        [sys.executable, "-m", "harpoon_cli", *line],
        env=os.environ | harpoon.environ,
        cwd=harpoon.cwd,
        capture_output=True,
        text=True,
        preexec_fn=nothing_can_be_written,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def still_listed(harpoon: Operator) -> list[str]:
    harpoon.environ.pop("XDG_STATE_HOME", None)
    return harpoon("leases", "-q").out.split()


def test_a_release_by_id_needs_no_ledger(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    lose_the_state(live)
    ran = live("release", lease, "-o", "json")
    [released] = ran.data["released"]
    assert (ran.status, released["lease_id"], released["released"]) == (Exit.STORAGE, lease, True)
    assert float(released["cost"]["amount"]) > 0
    [error] = ran.json["errors"]
    assert error["message"].startswith(f"lease {lease} is over, and that cannot be written down: ")
    assert live("leases", "-q").out == ""
    assert still_listed(live) == [lease]  # the old ledger knows no better


def test_a_release_by_our_reference_finds_it_in_the_list(live: Operator) -> None:
    live("allocate", *GEMMA)
    [row] = live("leases", "-o", "json").data["leases"]
    lose_the_state(live)
    ran = live("release", row["reference"], "-o", "json")
    assert [one["lease_id"] for one in ran.data["released"]] == [row["lease_id"]]
    assert live("leases", "-o", "json").data["leases"] == []


def test_a_release_goes_out_although_the_disk_is_full(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    ran = with_a_full_disk(live, "release", lease)
    assert ran.status == Exit.STORAGE, ran.err
    assert f"lease {lease} is over, and that cannot be written down" in ran.err
    assert "harpoon release ID ends a lease all the same" in ran.err
    assert ran.out.splitlines()[1].startswith(lease)
    lose_the_state(live)
    assert live("leases", "-q").out == ""


def test_a_lease_that_the_ledger_lacks_is_released_although_the_disk_is_full(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    for path in (live.home / LEDGER).parent.glob("ledger.db*"):
        path.unlink()
    ran = with_a_full_disk(live, "release", lease)
    assert (ran.status, f"lease {lease} is over" in ran.err) == (Exit.STORAGE, True), ran.err
    lose_the_state(live)
    assert live("leases", "-q").out == ""


def test_all_of_ours_are_found_by_their_tags_where_the_ledger_cannot_be_opened(live: Operator) -> None:
    ours = {live("allocate", *GEMMA, "-q").out.strip() for _ in range(2)}
    for path in (live.home / LEDGER).parent.glob("ledger.db*"):
        path.unlink()
    (live.home / LEDGER).mkdir()
    ran = live("release", "--all", "-o", "json")
    assert ran.status == Exit.STORAGE
    assert {one["lease_id"] for one in ran.data["released"]} == ours
    (live.home / LEDGER).rmdir()
    assert still_listed(live) == []


def test_what_another_asked_for_is_not_released_without_a_ledger_either(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    lose_the_state(live)
    live.environ["USER"] = live.environ["LOGNAME"] = "somebody-else"
    ran = live("release", lease)
    assert (ran.status, "belongs to" in ran.err) == (Exit.USAGE, True), ran.err


def test_what_the_platform_lists_is_shown_without_a_ledger(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    lose_the_state(live)
    ran = live("leases", "-o", "json")
    assert ran.status == Exit.STORAGE
    assert [row["lease_id"] for row in ran.data["leases"]] == [lease]


def test_a_new_lease_is_still_refused_without_a_ledger(live: Operator) -> None:
    lose_the_state(live)
    ran = live("allocate", *GEMMA)
    assert (ran.status, "XDG_STATE_HOME" in ran.err) == (Exit.STORAGE, True)
    assert still_listed(live) == []


ROWS: list[object] = [
    {"id": "good-1", "status": "active"},
    {"id": "bad\nid", "status": "active"},
    7,
    {"status": "active"},
    {"id": "good-2", "status": "active", "pool_id": {"not": "an id"}, "price_per_hour": "dear"},
]


@pytest.mark.parametrize("line", [["leases"], ["release", "--overdue"]], ids=" ".join)
def test_a_row_of_the_list_that_cannot_be_read_is_named_and_hides_no_other(
    harpoon: Operator, line: list[str]
) -> None:
    async def listing(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(answer(200, {"allocations": ROWS, "next_cursor": None}))

    with served(listing) as server:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": server.url, "HOSTED_AI_API_KEY": "k"}
        ran = harpoon(*line, "-o", "json")
    assert ran.status == Exit.INCOMPLETE
    [error] = ran.json["errors"]
    assert error["code"] == "incomplete_list"
    assert error["message"] == (
        "3 of 5 rows of the platform's list of leases cannot be read, and are left out: "
        "allocation_id of item 2 of allocations is a string that cannot be used as an id; "
        "item 3 of allocations should be a JSON object and is a number; "
        "item 4 of allocations has no allocation_id"
    )
    if line == ["leases"]:
        assert [row["lease_id"] for row in ran.data["leases"]] == ["good-1", "good-2"]


@pytest.mark.parametrize("line", [("allocate", *GEMMA), ("infer", "Hi")], ids=" ".join)
def test_what_costs_more_than_asked_for_is_said_although_only_the_result_is_wanted(
    live: Operator, line: tuple[str, ...]
) -> None:
    live.configure('[models.gemma-270m]\nvram_mb = 100\n[platform.names]\nexpires_at = "nothing"\n')
    ran = live(*line, "-q")
    assert ran.status == 0
    assert "warning: the platform names no end for lease " in ran.err
    shortened = live(*line, "-q", "--max-cost", "0.01")
    assert "warning: the lease is for 92 s, not 900 s" in shortened.err
