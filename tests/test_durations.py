"""Durations as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.durations import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (900, 900.0),
        (0, 0.0),
        (2.5, 2.5),
        (Decimal("0.5"), 0.5),
        ("900", 900.0),
        (" 90s ", 90.0),
        ("15m", 900.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("500ms", 0.5),
    ],
)
def test_durations_are_read_as_they_are_meant(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "m",
        "15 minutes",
        "-5",
        "5m-3s",
        "1e3",
        "inf",
        "nan",
        "0x10",
        "\u0661\u0665m",
        "15m!",
        "9" * 400,
    ],
)
def test_text_that_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@pytest.mark.parametrize("written", [True, None, [], float("inf"), float("nan"), -1, -0.5])
def test_values_that_are_no_duration_are_refused(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.text(max_size=30))
def test_any_text_is_either_seconds_or_a_value_error(written: str) -> None:
    try:
        seconds = parse_duration(written)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")


@given(hours=st.integers(0, 999), minutes=st.integers(0, 999), seconds=st.integers(0, 999))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
