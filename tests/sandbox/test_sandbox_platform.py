"""The sandbox's rules, by a clock that is set by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harpoon_cli.sandbox.platform import Refusal, SandboxPlatform
from harpoon_cli.sandbox.pools import built_in_pools
from harpoon_cli.sandbox.store import Store
from harpoon_cli.values import replace

from .harness import POOL, Clock, order


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(tmp_path: Path, clock: Clock) -> SandboxPlatform:
    return SandboxPlatform(Store(tmp_path / "state"), [POOL], now=clock)


def pool_of(platform: SandboxPlatform) -> Any:
    rows: Any = platform.pools()["pools"]
    return rows[0]


def lease(platform: SandboxPlatform, **more: Any) -> str:
    return str(platform.allocate(order(**more)).document["allocation_id"])


def test_a_lease_takes_one_slice_with_its_memory_and_compute_until_it_is_released(
    platform: SandboxPlatform,
) -> None:
    taken = lease(platform, vram_mb=600, tflops=4.0)
    held = pool_of(platform)
    platform.release(taken)
    free = pool_of(platform)
    assert (held["available_vgpus"], held["vram_free_mb"], held["tflops_free"]) == (3, 1400, 16.0)
    assert held["allocated_percent"] == 25.0
    assert (free["available_vgpus"], free["vram_free_mb"], free["tflops_free"]) == (4, 2000, 20.0)


def test_a_lease_ends_by_itself_at_its_end_and_its_slice_comes_back(
    platform: SandboxPlatform, clock: Clock
) -> None:
    taken = lease(platform, duration_s=60)
    clock.forward(59.999)
    assert platform.allocation(taken)["status"] == "active"
    clock.forward(0.001)
    assert pool_of(platform)["available_vgpus"] == 4
    assert platform.allocations(limit=10)["allocations"] == []
    with pytest.raises(Refusal, match="its time was up") as gone:
        platform.allocation(taken)
    assert (gone.value.status, gone.value.details["became"]) == (404, "expired")


def test_a_slice_is_pending_for_the_pools_delay_and_then_active(tmp_path: Path, clock: Clock) -> None:
    platform = SandboxPlatform(Store(tmp_path / "state"), [replace(POOL, allocation_delay_s=1.5)], now=clock)
    accepted = platform.allocate(order()).document
    taken = str(accepted["allocation_id"])
    assert accepted["status"] == "pending"
    with pytest.raises(Refusal) as early:
        platform.require_active(taken)
    assert (early.value.status, early.value.headers["retry-after"]) == (409, "2")
    clock.forward(1.5)
    assert platform.allocation(taken)["status"] == "active"


def test_renewal_counts_from_now_and_can_also_shorten(platform: SandboxPlatform, clock: Clock) -> None:
    taken = lease(platform, duration_s=60)
    clock.forward(50)
    renewed = platform.renew(taken, 20)
    assert renewed["expires_at"] == "2026-11-22T06:01:10.000000+00:00"
    clock.forward(20)
    with pytest.raises(Refusal, match="no live allocation"):
        platform.renew(taken, 20)


def test_a_released_lease_is_not_found_again(platform: SandboxPlatform) -> None:
    taken = lease(platform)
    assert platform.release(taken)["status"] == "released"
    with pytest.raises(Refusal, match="it was released"):
        platform.release(taken)


def test_nothing_larger_than_one_card_is_ever_given(platform: SandboxPlatform) -> None:
    with pytest.raises(Refusal) as too_much_memory:
        lease(platform, vram_mb=1001)
    with pytest.raises(Refusal) as too_much_compute:
        lease(platform, tflops=10.5)
    assert {too_much_memory.value.code, too_much_compute.value.code} == {"exceeds_card"}


@pytest.mark.parametrize(
    ("wanted", "given"), [({"vram_mb": 700}, 2), ({"tflops": 7.0}, 2), ({"vram_mb": 1, "tflops": 0.0}, 4)]
)
def test_a_pool_gives_no_more_memory_compute_or_slices_than_it_has(
    platform: SandboxPlatform, wanted: dict[str, Any], given: int
) -> None:
    for _ in range(given):
        lease(platform, **wanted)
    with pytest.raises(Refusal) as full:
        lease(platform, **wanted)
    assert (full.value.status, full.value.code) == (409, "insufficient_capacity")


def test_a_pool_that_is_not_there_is_named_beside_those_that_are(platform: SandboxPlatform) -> None:
    with pytest.raises(Refusal) as refusal:
        lease(platform, pool_id="nowhere")
    assert (refusal.value.status, refusal.value.details) == (404, {"pools": ["pool"]})


def test_one_key_is_one_lease_also_after_that_lease_has_ended(
    platform: SandboxPlatform, clock: Clock
) -> None:
    first = platform.allocate(order(), "key")
    platform.release(str(first.document["allocation_id"]))
    clock.forward(3600)
    again = platform.allocate(order(), "key")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.document == first.document
    assert pool_of(platform)["available_vgpus"] == 4


def test_one_key_with_another_request_is_refused(platform: SandboxPlatform) -> None:
    platform.allocate(order(), "key")
    with pytest.raises(Refusal) as reused:
        platform.allocate(order(duration_s=61), "key")
    assert (reused.value.status, reused.value.code) == (422, "idempotency_key_reused")


def test_a_refusal_is_not_kept_for_its_key(platform: SandboxPlatform) -> None:
    taken = [lease(platform) for _ in range(4)]
    with pytest.raises(Refusal, match="no free slice"):
        platform.allocate(order(), "key")
    platform.release(taken[0])
    assert not platform.allocate(order(), "key").replayed


def test_keys_and_ended_leases_are_forgotten_after_a_day(platform: SandboxPlatform, clock: Clock) -> None:
    first = platform.allocate(order(), "key")
    clock.forward(2 * 86400)
    assert not platform.allocate(order(), "key").replayed
    with pytest.raises(Refusal) as forgotten:
        platform.allocation(str(first.document["allocation_id"]))
    assert forgotten.value.details == {}


def test_pages_follow_each_other_without_gap_or_repeat(platform: SandboxPlatform) -> None:
    made = [lease(platform, vram_mb=1) for _ in range(4)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page: Any = platform.allocations(limit=2, cursor=cursor)
        seen += [row["allocation_id"] for row in page["allocations"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made


def test_actual_use_is_the_share_of_slice_time_spent_answering(
    platform: SandboxPlatform, clock: Clock
) -> None:
    taken = lease(platform, duration_s=3600)
    use = platform.begin_use(taken)
    clock.forward(60)
    platform.end_use(use)
    # One of four slices for one of five minutes.
    assert pool_of(platform)["actual_percent"] == 5.0
    clock.forward(301)
    assert pool_of(platform)["actual_percent"] == 0.0


def test_a_use_whose_end_was_never_noted_ends_with_its_lease(platform: SandboxPlatform, clock: Clock) -> None:
    platform.begin_use(lease(platform, duration_s=30))
    clock.forward(120)
    assert pool_of(platform)["actual_percent"] == 2.5


def test_the_state_survives_the_process(tmp_path: Path, clock: Clock) -> None:
    before = SandboxPlatform(Store(tmp_path), [POOL], now=clock)
    taken = lease(before)
    before.close()
    after = SandboxPlatform(Store(tmp_path), [POOL], now=clock)
    assert after.allocation(taken)["allocation_id"] == taken


def test_the_built_in_pools_hold_every_size_of_model_from_two_to_thirty_two_gb() -> None:
    pools = built_in_pools()
    assert len({pool.gpu_model for pool in pools}) == len(pools) == 4
    assert all(pool.slices == pool.cards * pool.sharing_ratio for pool in pools)
    assert min(pool.card_vram_mb for pool in pools) >= 6 * 1024
    assert max(pool.card_vram_mb for pool in pools) >= 32 * 1024
