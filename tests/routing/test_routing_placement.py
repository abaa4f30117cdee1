"""Placement: the named pool or the cheapest that fits, and a way out where none does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Pool, PoolId, Price, Requirements
from harpoon_cli.errors import Exit, NoSuchPool, NothingFits
from harpoon_cli.routing import choose_pool


def pool(
    name: str, per_hour: str | None = "1", *, card_mb: int = 16_384, card_tflops: float = 65.0, free: int = 2
) -> Pool:
    price = Price(Decimal(per_hour), "USD") if per_hour is not None else None
    return Pool(
        PoolId(name), name, "gpu", free_slices=free, price=price, gpu_vram_mb=card_mb, gpu_tflops=card_tflops
    )


MISTRAL = Requirements(6144, 10.0, "mistral-7b")
QWEN = Requirements(32_768, 40.0, "qwen-32b")

some_pools = st.lists(
    st.builds(
        pool,
        st.text("abc123", min_size=1, max_size=3),
        st.none() | st.sampled_from(["0", "0.1", "0.35", "1", "1.00"]),
        card_mb=st.integers(1000, 80_000),
        card_tflops=st.floats(1, 1000),
        free=st.integers(0, 2),
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)


@given(some_pools)
def test_what_is_chosen_fits_and_nothing_that_fits_is_cheaper(pools: list[Pool]) -> None:
    fitting = [each for each in pools if not each.obstacles(MISTRAL)]
    if not fitting:
        with pytest.raises(NothingFits):
            choose_pool(MISTRAL, pools)
        return
    chosen = choose_pool(MISTRAL, pools)
    assert chosen in fitting
    prices = [each.price.per_hour for each in fitting if each.price]
    assert (chosen.price.per_hour if chosen.price else None) == min(prices, default=None)


@given(some_pools)
def test_the_order_in_which_a_platform_lists_its_pools_does_not_matter(pools: list[Pool]) -> None:
    try:
        chosen = choose_pool(MISTRAL, pools)
    except NothingFits:
        return
    assert choose_pool(MISTRAL, pools[::-1]) == chosen


def test_of_two_equal_prices_the_smaller_card_is_taken_then_the_first_name() -> None:
    assert choose_pool(MISTRAL, [pool("0", card_mb=81_920), pool("b"), pool("a")]).id == "a"


def test_a_preferred_pool_is_taken_though_another_is_cheaper() -> None:
    assert choose_pool(MISTRAL, [pool("cheap", "0.1"), pool("dear", "9")], PoolId("dear")).id == "dear"


def test_a_preferred_pool_that_does_not_exist_is_met_with_the_nearest() -> None:
    with pytest.raises(NoSuchPool) as caught:
        choose_pool(MISTRAL, [pool("pool-a100"), pool("pool-t4")], PoolId("pool-a10"))
    assert caught.value.exit is Exit.NOT_FOUND
    assert caught.value.message == "there is no pool pool-a10"
    assert caught.value.hint is not None
    assert "pool-a100" in caught.value.hint


def test_a_preferred_pool_that_does_not_fit_says_what_is_short() -> None:
    with pytest.raises(NothingFits) as caught:
        choose_pool(QWEN, [pool("t4"), pool("h100", card_mb=81_920)], PoolId("t4"))
    assert caught.value.message == (
        "pool t4 cannot hold qwen-32b (32768 MB and 40 TFLOPS): VRAM: needs 32768 MB, a card has 16384"
    )
    assert caught.value.hint == "see: harpoon pools --fits qwen-32b"


def test_a_preferred_pool_outside_the_models_own_is_refused() -> None:
    with pytest.raises(NothingFits, match="may not use pool t4; its entry names h100"):
        choose_pool(MISTRAL, [pool("t4")], PoolId("t4"), [PoolId("h100")])


def test_only_allowed_pools_are_considered() -> None:
    pools = [pool("cheap", "0.1"), pool("mine", "5")]
    assert choose_pool(MISTRAL, pools, allowed=[PoolId("mine")]).id == "mine"
    with pytest.raises(NothingFits, match="none of the pools elsewhere"):
        choose_pool(MISTRAL, pools, allowed=[PoolId("elsewhere")])


def test_what_no_card_could_ever_hold_is_told_with_the_largest_card() -> None:
    with pytest.raises(NothingFits) as caught:
        choose_pool(QWEN, [pool("t4"), pool("l4", card_mb=24_576, card_tflops=30.0)])
    assert caught.value.message == (
        "no pool could ever hold qwen-32b (32768 MB and 40 TFLOPS); "
        "the most on one card is 24576 MB (l4) and 65 TFLOPS (t4)"
    )


def test_what_is_only_taken_now_is_told_as_worth_another_try() -> None:
    with pytest.raises(NothingFits) as caught:
        choose_pool(MISTRAL, [pool("t4", free=0), pool("nano", card_mb=2048)])
    assert caught.value.message == (
        "no pool can hold mistral-7b (6144 MB and 10 TFLOPS) now: t4: no free slice"
    )
    assert caught.value.hint == "try again later, or see: harpoon pools --fits mistral-7b"


def test_a_bare_requirement_is_told_by_its_size() -> None:
    with pytest.raises(NothingFits, match=r"no pool could ever hold 99999999 MB and 1 TFLOPS") as caught:
        choose_pool(Requirements(99_999_999, 1.0), [pool("t4")])
    assert caught.value.hint == "see: harpoon pools"


def test_a_platform_without_pools_is_a_sentence() -> None:
    with pytest.raises(NothingFits, match="the platform has no pool for mistral-7b"):
        choose_pool(MISTRAL, [])
