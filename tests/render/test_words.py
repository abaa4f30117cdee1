"""Amounts, durations, sizes and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.amounts import told_above, told_exactly
from harpoon_cli.domain import Gpu, Money, Origin, Price
from harpoon_cli.render import words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "$0.00"),
        ("12.5", "$12.50"),
        ("1234.567", "$1,234.57"),
        ("0.6", "$0.60"),
        ("0.05", "$0.05"),
        ("0.0545", "$0.054"),
        ("0.000545", "$0.00054"),
        ("-0.0004", "-$0.0004"),
        ("-0", "$0.00"),
        ("1e-12", "$1.0E-12"),
        ("1e999999", "$1.0E+999999"),
        ("NaN", "$NaN"),
        ("sNaN", "$sNaN"),
        ("Infinity", "$Infinity"),
    ],
)
def test_an_amount_is_told_to_the_cent_or_to_two_significant_digits(value: str, shown: str) -> None:
    assert words.amount(Decimal(value)) == shown


@given(st.decimals())
def test_every_amount_there_is_has_words(value: Decimal) -> None:
    assert len(words.amount(value)) < 80


def test_money_and_prices_say_how_they_are_known() -> None:
    assert words.money(Money(Decimal("0.0004"), "USD", Origin.QUOTED)) == "$0.0004 quoted"
    assert words.price(Price(Decimal("0.6"), "EUR")) == "0.60 EUR/h quoted"
    assert words.hourly(Price(Decimal("0.6"), "USD")) == "$0.60/h"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.00 s"),
        (0.844, "0.84 s"),
        (0.0037, "3.7 ms"),
        (0.0996, "0.10 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1 m 00 s"),
        (125, "2 m 05 s"),
        (3_599.9, "1 h 00 m"),
        (11_040, "3 h 04 m"),
        (183_600, "2 d 03 h"),
        (-2, "-2.00 s"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (None, "-"),
    ],
)
def test_a_duration_has_the_units_that_matter(seconds: float | None, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_ages_and_ends_are_told_to_the_second() -> None:
    now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert words.age(now - timedelta(seconds=45.9), now) == "45 s"
    assert words.until(now + timedelta(seconds=125), now) == "2 m 05 s"
    assert words.until(now - timedelta(seconds=5), now) == "-5 s"
    assert words.instant(now.astimezone(timezone(timedelta(hours=2)))) == "2026-01-31 12:00:00 UTC"


def test_sizes_and_shares_are_short() -> None:
    assert [words.memory(mb) for mb in (512, 1024, 1536, 20_480)] == ["512 MB", "1 GB", "1.5 GB", "20 GB"]
    assert words.percent(45.0) == "45 %"
    assert words.of(3, 8) == "3/8"
    assert words.of(None, 8) == "-/8"
    assert words.gpu(Gpu("NVIDIA L4", 20_480, 40.0)) == "NVIDIA L4, 20 GB, 40 TFLOPS"
    assert words.gpu(Gpu("NVIDIA L4")) == "NVIDIA L4"


def test_what_is_not_known_is_a_dash() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    unknown = (words.amount, words.money, words.price, words.hourly, words.span, words.instant)
    assert {say(None) for say in unknown} == {"-"}
    assert {words.age(None, now), words.until(None, now), words.of(None, None), words.gpu(None)} == {"-"}
    assert {words.memory(None), words.percent(None), words.number(None)} == {"-"}


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        ("36", "10", "$36.00"),
        ("0.010004", "0.01", "$0.010004"),
        ("0.0100000000000000001", "0.01", "$0.01"),
        ("5.001", "5", "$5.001"),
        ("0.2", "0.1", "$0.20"),
        ("2", "3", "$2.00"),
    ],
)
def test_what_is_more_than_a_limit_is_seen_to_be(value: str, limit: str, shown: str) -> None:
    assert told_above(Decimal(value), Decimal(limit), "USD") == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("10", "$10.00"), ("0.125", "$0.125"), ("1E+2", "$100.00"), ("0", "$0.00")]
)
def test_what_somebody_has_set_is_told_with_every_digit(value: str, shown: str) -> None:
    assert told_exactly(Decimal(value), "USD") == shown
