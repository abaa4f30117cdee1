"""Where a pool has no room the next candidate is asked for: aloud, once, and leaving nothing open."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path

import pytest

from harpoon_cli.sandbox.pools import PoolSpecification
from harpoon_cli.values import replace
from tests.cli.conftest import WallClock
from tests.cli.crowded import FAILED, FULL, Crowded, Said
from tests.cli.rig import Operator
from tests.sandbox.harness import KEY, POOL, application, served

HARD = "Prove step by step why the algorithm is optimal, and justify each part of the complex reasoning."
MODELS = "[models.gemma-270m]\nvram_mb = 100\n[models.qwen-30b]\nvram_mb = 900\ntflops = 9\n"

DEARER = replace(POOL, id="dearer", price_per_hour=Decimal("0.78"))
Meet = Callable[..., Crowded]


@pytest.fixture
def meet(harpoon: Operator, tmp_path: Path) -> Iterator[Meet]:
    """Stands a crowded platform up, and points the operator at it."""
    with ExitStack() as stack:

        def make(
            says: Callable[[int], Said | None] = lambda megabytes: None,
            pools: tuple[PoolSpecification, ...] = (POOL,),
        ) -> Crowded:
            crowded = Crowded(application(tmp_path / "platform", WallClock(), pools=pools), says)
            url = stack.enter_context(served(crowded))
            harpoon.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": KEY}
            harpoon.configure(MODELS)
            return crowded

        yield make


def large_is_refused(megabytes: int) -> Said | None:
    return FULL if megabytes >= 900 else None


def states(operator: Operator) -> list[str]:
    ledger = operator.home / ".local/state/harpoon/ledger.db"
    with closing(sqlite3.connect(ledger)) as rows:
        return [state for (state,) in rows.execute("select state from leases order by rowid")]


def test_the_next_candidate_answers_and_every_output_says_so(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(large_is_refused)
    ran = harpoon("infer", HARD, "-o", "json")
    assert ran.status == 0
    assert [size >= 900 for size in crowded.asked] == [True, False]
    assert ran.data["model"] == "gemma-270m"
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["pool_id"], failover["next_model"]) == (
        "qwen-30b",
        "pool",
        "gemma-270m",
    )
    assert "the pool is full" in failover["reason"]
    [note] = [note for note in ran.json["notes"] if "instead" in note]
    assert note.startswith("qwen-30b could not be had in pool pool: ")
    assert note.endswith("gemma-270m in pool pool is asked for instead")
    assert f"warning: {note}" in ran.err
    assert f"warning: {note}" in harpoon("infer", HARD, "-q").err


def test_a_person_reads_it_in_the_receipt(harpoon: Operator, meet: Meet) -> None:
    meet(large_is_refused)
    ran = harpoon("infer", HARD)
    assert "instead of:    qwen-30b, which could not be had in pool pool" in ran.err


def test_a_model_that_no_pool_has_room_for_is_among_the_failovers_once(harpoon: Operator, meet: Meet) -> None:
    crowded = meet()
    harpoon.configure(MODELS.replace("900", "999999"))
    ran = harpoon("infer", HARD, "-o", "json")
    assert (ran.status, ran.data["model"]) == (0, "gemma-270m")
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["pool_id"]) == ("qwen-30b", None)
    assert (failover["next_model"], failover["next_pool_id"]) == ("gemma-270m", None)
    assert "capacity (" in failover["reason"]
    assert failover["reason"] in ran.err
    assert len(crowded.asked) == 1


def test_a_model_that_was_asked_for_by_name_took_nobody_s_place(harpoon: Operator, meet: Meet) -> None:
    meet()
    ran = harpoon("infer", HARD, "--model", "gemma-270m", "-o", "json")
    assert (ran.status, ran.data["failovers"]) == (0, [])


def test_nothing_of_either_request_is_left_open(harpoon: Operator, meet: Meet) -> None:
    meet(large_is_refused)
    assert harpoon("infer", HARD).status == 0
    assert states(harpoon) == ["refused", "released"]
    assert harpoon("leases", "-q").out == ""


def test_the_explanation_is_the_decision_that_was_taken_in_the_end(harpoon: Operator, meet: Meet) -> None:
    meet(large_is_refused)
    decision = harpoon("infer", HARD, "--explain", "-o", "json").data["decision"]
    assert (decision["wanted"], decision["model"]) == ("qwen-30b", "gemma-270m")
    large = next(one for one in decision["candidates"] if one["model"] == "qwen-30b")
    capacity = next(gate for gate in large["gates"] if gate["gate"] == "capacity")
    assert capacity["verdict"] == "not now"
    assert "the pool is full" in capacity["sentence"]


def test_a_model_that_was_asked_for_by_name_is_asked_for_in_the_next_pool_that_can_hold_it(
    harpoon: Operator, meet: Meet
) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full.add("pool")
    ran = harpoon("infer", HARD, "--model", "qwen-30b", "-o", "json")
    assert (ran.status, ran.data["model"], ran.data["pool_id"]) == (0, "qwen-30b", "dearer")
    assert crowded.pools == ["pool", "dearer"]
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["pool_id"], failover["next_model"]) == (
        "qwen-30b",
        "pool",
        "qwen-30b",
    )
    [note] = [note for note in ran.json["notes"] if "instead" in note]
    assert note.startswith("qwen-30b could not be had in pool pool: ")
    assert note.endswith("qwen-30b in pool dearer is asked for instead")
    assert states(harpoon) == ["refused", "released"]


def test_a_pool_that_the_platform_lists_and_does_not_know_gives_way_to_the_next(
    harpoon: Operator, meet: Meet
) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.gone.add("pool")
    ran = harpoon("infer", HARD, "--model", "qwen-30b", "-o", "json")
    assert (ran.status, ran.data["pool_id"]) == (0, "dearer")
    assert "the platform knows no pool pool" in ran.data["failovers"][0]["reason"]
    assert states(harpoon) == ["refused", "released"]


def test_a_pool_that_is_gone_is_not_asked_for_a_smaller_model(harpoon: Operator, meet: Meet) -> None:
    crowded = meet()
    crowded.gone.add("pool")
    assert harpoon("infer", HARD).status == 5
    assert crowded.pools == ["pool"]


def test_a_pool_that_was_asked_for_by_name_is_not_replaced(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full.add("pool")
    assert harpoon("infer", HARD, "--model", "qwen-30b", "--pool", "pool").status == 6
    assert crowded.pools == ["pool"]


def test_where_every_pool_is_full_the_last_refusal_is_the_error(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full |= {"pool", "dearer"}
    ran = harpoon("infer", HARD, "--model", "qwen-30b", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (6, "no_capacity")
    assert crowded.pools == ["pool", "dearer"]
    assert any("no other pool can hold it" in note for note in ran.json["notes"])


def test_a_model_that_was_asked_for_by_name_is_not_replaced(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(large_is_refused)
    ran = harpoon("infer", HARD, "--model", "qwen-30b", "-o", "json")
    assert ran.status == 6
    assert ran.json["errors"][0]["code"] == "no_capacity"
    assert len(crowded.asked) == 1
    assert states(harpoon) == ["refused"]


def test_where_no_candidate_is_left_the_first_refusal_is_the_error(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(lambda megabytes: FULL)
    ran = harpoon("infer", HARD, "-o", "json")
    assert ran.status == 6
    assert ran.json["errors"][0]["code"] == "no_capacity"
    assert len(crowded.asked) == 2
    assert any("no other model can take its place" in note for note in ran.json["notes"])
    assert states(harpoon) == ["refused", "refused"]


def test_what_is_not_surely_refused_gives_way_to_nobody(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(lambda megabytes: FAILED)
    harpoon.configure(MODELS + "[retry]\nattempts = 1\n[platform]\nlists = false\nidempotency_keys = false\n")
    ran = harpoon("infer", HARD, "-o", "json")
    assert ran.status == 9
    assert all(size >= 900 for size in crowded.asked)
    assert states(harpoon) == ["unsure"]


def test_where_the_breaker_of_the_models_is_open_nothing_is_leased(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(lambda megabytes: None)
    harpoon("pools")
    host = harpoon.environ["HOSTED_AI_BASE_URL"]
    rest = {"healed_at": 0.0, "passed": 0, "reserve": 8.0, "reserve_at": 0.0}
    state = harpoon.home / ".local/state/harpoon"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    broken = {f"{host} inference": {"failures": 9, "asked_at": time.time(), **rest}}
    (state / "breakers.json").write_text(json.dumps(broken))
    ran = harpoon("infer", HARD, "-o", "json")
    assert ran.status == 7
    assert ran.json["errors"][0]["code"] == "breaker_open"
    assert crowded.asked == []


def test_what_was_ended_on_the_way_is_told_once_also_where_no_pool_has_room(
    harpoon: Operator, meet: Meet
) -> None:
    full: list[Said] = []
    meet(lambda megabytes: full[0] if full else None)
    lease = harpoon("allocate", "-m", "gemma-270m", "-q").out.strip()
    with closing(sqlite3.connect(harpoon.home / ".local/state/harpoon/ledger.db")) as ledger, ledger:
        ledger.execute("update leases set kept = 0")  # as if its command had been killed
    full.append(FULL)
    ran = harpoon("infer", "Hi", "-m", "gemma-270m", "-o", "json")
    assert ran.status == 6
    assert [one["lease_id"] for one in ran.json["receipt"]["ended"]] == [lease]


@pytest.mark.parametrize("line", [["allocate", "-m", "gemma-270m"], ["infer", "Hi", "-m", "gemma-270m"]])
def test_no_more_than_ten_pools_are_asked(harpoon: Operator, meet: Meet, line: list[str]) -> None:
    pools = tuple(replace(POOL, id=f"pool-{number}") for number in range(12))
    crowded = meet(lambda megabytes: FULL, pools)
    ran = harpoon(*line)
    assert ran.status == 6
    assert len(crowded.asked) == 10
    assert "10 pools had no such slice" in ran.err
