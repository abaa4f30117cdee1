"""Money: exact, of known origin, and never mixed between currencies."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Money, Origin, Price
from harpoon_cli.errors import ConfigurationFault, CostCeilingReached, Exit
from harpoon_cli.pricing import (
    check_ceiling,
    cost_of_lease,
    cost_of_tokens,
    cost_on_receipt,
    cost_per_million_tokens,
    seconds_affordable,
    total,
    totals,
)

amounts = st.decimals(0, 1000, places=6)
prices = st.builds(Price, st.decimals("0.0001", 1000, places=4), st.just("USD"))
origins = st.sampled_from(Origin)


def usd(amount: str, origin: Origin = Origin.QUOTED) -> Money:
    return Money(Decimal(amount), "USD", origin)


def test_an_hour_costs_the_price_of_an_hour() -> None:
    assert cost_of_lease(Price(Decimal("2.49"), "EUR"), 3600) == Money(Decimal("2.49"), "EUR", Origin.QUOTED)


def test_a_tenth_of_a_second_is_a_tenth_and_not_the_nearest_binary_fraction() -> None:
    assert cost_of_lease(Price(Decimal(36), "USD"), 0.1).amount == Decimal("0.001")


def test_estimated_seconds_make_an_estimated_cost_and_an_estimated_price_does_too() -> None:
    quoted, guessed = Price(Decimal(1), "USD"), Price(Decimal(1), "USD", Origin.ESTIMATED)
    assert cost_of_lease(quoted, 60).origin is Origin.QUOTED
    assert cost_of_lease(quoted, 60, measured=False).origin is Origin.ESTIMATED
    assert cost_of_lease(guessed, 60).origin is Origin.ESTIMATED


@given(prices, st.integers(0, 10**7))
def test_nothing_is_rounded_that_money_could_show(price: Price, seconds: int) -> None:
    exact = Fraction(price.per_hour) * seconds / 3600
    assert abs(Fraction(cost_of_lease(price, seconds).amount) - exact) < Fraction(1, 10**30)


@given(prices, st.floats(0, 1e6), st.floats(0, 1e6))
def test_two_halves_of_a_lease_cost_what_the_whole_costs(price: Price, first: float, second: float) -> None:
    parts = total(cost_of_lease(price, first), cost_of_lease(price, second))
    whole = cost_of_lease(price, Decimal(str(first)) + Decimal(str(second)))
    assert abs(parts.amount - whole.amount) < Decimal("1e-20")


@given(prices, st.floats(0, 1e6))
def test_a_cost_on_a_receipt_is_an_estimate_to_a_trillionth(price: Price, seconds: float) -> None:
    told, exact = cost_on_receipt(price, seconds), cost_of_lease(price, seconds)
    assert abs(told.amount - exact.amount) <= Decimal("5e-13")
    assert (told.origin, told.currency) == (Origin.ESTIMATED, "USD")
    assert Decimal(f"{told.amount:.12f}") == told.amount


@pytest.mark.parametrize("per_hour", ["0", "1e-40", "9e79", "123456789012345678901234567890.123456789"])
def test_no_price_that_a_platform_can_name_is_too_odd_for_a_receipt(per_hour: str) -> None:
    assert cost_on_receipt(Price(Decimal(per_hour), "USD"), 1e9).amount >= 0


@given(st.lists(st.builds(Money, amounts, st.sampled_from(["USD", "EUR"]), origins), max_size=8))
def test_totals_are_exact_and_of_one_currency_each(parts: list[Money]) -> None:
    summed = totals(parts)
    assert {one.currency for one in summed} == {part.currency for part in parts}
    for one in summed:
        assert one.amount == sum(part.amount for part in parts if part.currency == one.currency)


def test_a_callers_own_decimal_precision_does_not_reach_the_money() -> None:
    with localcontext(prec=2):
        assert cost_of_lease(Price(Decimal("2.4912"), "USD"), 3600).amount == Decimal("2.4912")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="a duration is finite"):
        cost_of_lease(Price(Decimal(1), "USD"), seconds)


@given(prices, amounts)
def test_the_affordable_seconds_are_affordable_and_one_more_is_not(price: Price, max_cost: Decimal) -> None:
    seconds = seconds_affordable(price, max_cost)
    assert seconds is not None
    assert cost_of_lease(price, seconds).amount <= max_cost < cost_of_lease(price, seconds + 1).amount


def test_a_free_lease_is_affordable_for_ever() -> None:
    assert seconds_affordable(Price(Decimal(0), "USD"), Decimal(0)) is None


def test_a_ceiling_below_nothing_affords_no_second() -> None:
    assert seconds_affordable(Price(Decimal(1), "USD"), Decimal(-1)) == 0


@given(prices, st.integers(1, 10**6), amounts)
def test_a_ceiling_holds_exactly_where_the_whole_lease_stays_within_it(
    price: Price, ttl_s: int, max_cost: Decimal
) -> None:
    worst = Fraction(price.per_hour) * ttl_s / 3600
    if worst <= max_cost:
        assert check_ceiling(price, ttl_s, max_cost).origin is Origin.ESTIMATED
    else:
        with pytest.raises(CostCeilingReached):
            check_ceiling(price, ttl_s, max_cost)


def test_a_ceiling_that_would_be_passed_says_how_long_it_pays_for() -> None:
    with pytest.raises(CostCeilingReached) as caught:
        check_ceiling(Price(Decimal("2.00"), "USD"), 3600, Decimal("0.50"))
    assert caught.value.exit is Exit.COST_CEILING
    assert caught.value.message == ("3600 s at $2.00 an hour may cost $2.00, more than the $0.50 allowed")
    assert caught.value.hint == "the ceiling pays for 900 s: lower --ttl or raise --max-cost"


def test_a_ceiling_without_a_price_cannot_be_kept() -> None:
    with pytest.raises(CostCeilingReached, match="names no price"):
        check_ceiling(None, 60, Decimal(1))


def model(asked: str | None, answered: str | None) -> Model:
    asked_price, answered_price = (None if price is None else Decimal(price) for price in (asked, answered))
    return Model("m", 1, 1.0, 1, "m", (), asked_price, answered_price)


def test_tokens_cost_their_price_for_a_million() -> None:
    assert cost_of_tokens(model("0.5", "1.5"), 1_000_000, 2_000_000) == usd("3.5", Origin.ESTIMATED)


def test_tokens_without_a_price_have_no_cost_unless_there_are_none() -> None:
    assert cost_of_tokens(model("0.5", None), 10, 10) is None
    assert cost_of_tokens(model(None, "0.5"), 10, 10) is None
    assert cost_of_tokens(model("1", None), 1_000_000, 0) == usd("1", Origin.ESTIMATED)


@given(st.lists(st.builds(Money, amounts, st.just("USD"), origins), min_size=1, max_size=5))
def test_a_sum_is_as_certain_as_its_least_certain_part(parts: list[Money]) -> None:
    certainty = [Origin.ESTIMATED, Origin.QUOTED, Origin.MEASURED, Origin.BILLED]
    summed = total(*parts)
    assert summed.amount == sum(part.amount for part in parts)
    assert certainty.index(summed.origin) == min(certainty.index(part.origin) for part in parts)


def test_two_currencies_are_an_error_and_not_a_sum() -> None:
    with pytest.raises(ConfigurationFault, match="USD and EUR cannot be added"):
        total(usd("1"), Money(Decimal(1), "EUR", Origin.QUOTED))


def test_a_cost_is_spread_over_a_million_tokens_and_over_none_not_at_all() -> None:
    assert cost_per_million_tokens(usd("0.02"), 400) == usd("50")
    assert cost_per_million_tokens(usd("0.02"), 0) is None
