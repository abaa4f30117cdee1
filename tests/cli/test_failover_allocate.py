"""A pool that has no room for a lease of one's own gives way to the next cheapest that fits, aloud."""

from __future__ import annotations

import pytest

from tests.cli.crowded import FAILED
from tests.cli.rig import Operator
from tests.cli.test_failover import DEARER, MODELS, Meet, meet, states
from tests.sandbox.harness import POOL

__all__ = ["meet"]

BY_MODEL = ("allocate", "--model", "qwen-30b")


@pytest.mark.parametrize("how", ["full", "gone"])
def test_the_next_cheapest_pool_that_fits_is_asked_and_every_output_says_so(
    harpoon: Operator, meet: Meet, how: str
) -> None:
    crowded = meet(pools=(DEARER, POOL))
    getattr(crowded, how).add("pool")
    ran = harpoon(*BY_MODEL, "-o", "json")
    assert (ran.status, ran.data["pool_id"]) == (0, "dearer")
    assert crowded.pools == ["pool", "dearer"]
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["pool_id"]) == ("qwen-30b", "pool")
    assert (failover["next_model"], failover["next_pool_id"]) == ("qwen-30b", "dearer")
    [note] = [note for note in ran.json["notes"] if "instead" in note]
    assert note == (
        f"qwen-30b could not be had in pool pool: {failover['reason']}; "
        "qwen-30b in pool dearer is asked for instead"
    )
    assert f"warning: {note}" in ran.err
    assert states(harpoon) == ["refused", "held"]


def test_whoever_asked_for_quiet_is_told_too(harpoon: Operator, meet: Meet) -> None:
    meet(pools=(POOL, DEARER)).full.add("pool")
    ran = harpoon(*BY_MODEL, "-q")
    assert "warning: qwen-30b could not be had in pool pool: " in ran.err
    assert len(ran.out.splitlines()) == 1


def test_a_slice_by_size_goes_the_same_way(harpoon: Operator, meet: Meet) -> None:
    meet(pools=(POOL, DEARER)).full.add("pool")
    ran = harpoon("allocate", "--vram", "900", "-o", "json")
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["next_model"], failover["next_pool_id"]) == (None, None, "dearer")
    assert "a slice of 900 MB could not be had in pool pool: " in ran.err


def test_a_pool_that_was_asked_for_by_name_is_not_replaced(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full.add("pool")
    ran = harpoon(*BY_MODEL, "--pool", "pool", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (6, "no_capacity")
    assert crowded.pools == ["pool"]
    assert states(harpoon) == ["refused"]


def test_the_pools_that_the_model_s_entry_names_are_the_only_ones_asked(
    harpoon: Operator, meet: Meet
) -> None:
    crowded = meet(pools=(POOL, DEARER))
    harpoon.configure(f'{MODELS}pools = ["pool"]\n')
    crowded.full.add("pool")
    assert harpoon(*BY_MODEL).status == 6
    assert crowded.pools == ["pool"]


def test_where_every_pool_is_full_the_last_refusal_is_the_error(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full |= {"pool", "dearer"}
    ran = harpoon(*BY_MODEL, "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (6, "no_capacity")
    assert crowded.pools == ["pool", "dearer"]
    assert any("no other pool can hold it" in note for note in ran.json["notes"])
    assert states(harpoon) == ["refused", "refused"]


def test_a_dearer_pool_that_the_ceiling_does_not_pay_for_is_not_asked(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(pools=(POOL, DEARER))
    crowded.full.add("pool")
    ran = harpoon(*BY_MODEL, "--ttl", "1h", "--max-cost", "0.60", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (6, "no_capacity")
    assert crowded.pools == ["pool"]
    assert any("no other pool can hold it" in note for note in ran.json["notes"])


def test_what_is_not_surely_refused_gives_way_to_nobody(harpoon: Operator, meet: Meet) -> None:
    crowded = meet(lambda megabytes: FAILED, pools=(POOL, DEARER))
    settings = "[retry]\nattempts = 1\n[platform]\nlists = false\nidempotency_keys = false\n"
    harpoon.configure(MODELS + settings)
    assert harpoon(*BY_MODEL).status == 9
    assert crowded.pools == ["pool"]
