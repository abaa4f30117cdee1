"""What platforms say of their rate limits, in every spelling, kept for its time and no longer."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.client import rates
from harpoon_cli.client.breaker import Health, at_rest
from harpoon_cli.client.guard import Guard
from harpoon_cli.client.health_file import HealthFile
from harpoon_cli.client.rates import Rate, told
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.errors import PlatformError
from tests.servers import FaultyServer, always, answer, in_turn, run

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        ({"ratelimit-remaining": "7", "ratelimit-reset": "30"}, Rate(7, 30.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12.5"}, Rate(0, 12.5)),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": f"{NOW + 40:.0f}"}, Rate(3, 40.0)),
        (
            {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1800000140", "date": formatdate(NOW + 100)},
            Rate(3, 40.0),
        ),
        ({"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1m30s"}, Rate(59, 90.0)),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "20ms"}, Rate(1, 0.02)),
        ({"ratelimit": '"burst";r=5;t=3, "day";r=2;t=4000'}, Rate(2, 4000.0)),
        ({"ratelimit-remaining": "7"}, None),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "0"}, None),
        ({"ratelimit-remaining": "-1", "ratelimit-reset": "30"}, None),
        ({"ratelimit-remaining": "many", "ratelimit-reset": "soon"}, None),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "999999999"}, None),
        ({"retry-after": "30"}, None),
        ({}, None),
    ],
)
def test_a_limit_is_read_in_the_spellings_that_platforms_use(
    headers: dict[str, str], rate: Rate | None
) -> None:
    assert told(200, headers, NOW) == rate


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        ({"retry-after": "30"}, Rate(0, 30.0)),
        ({"retry-after": "9" * 30}, Rate(0, rates.LONGEST_S)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, Rate(0, 12.0)),
        ({"retry-after": "30", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "12"}, Rate(0, 30.0)),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "12"}, None),
        ({}, None),
    ],
)
def test_a_429_leaves_no_call_until_it_says(headers: dict[str, str], rate: Rate | None) -> None:
    assert told(429, headers, NOW) == rate


@given(
    st.dictionaries(
        st.sampled_from([name for pair in rates._PAIRS for name in pair] + ["ratelimit"]), st.text()
    )
)
def test_headers_may_hold_anything(headers: dict[str, str]) -> None:
    rate = told(200, headers, NOW)
    assert rate is None or (rate.left >= 0 and rate.for_s > 0)


def test_a_host_that_has_no_call_left_for_days_is_asked_again_after_five_minutes() -> None:
    health = rates.remembered(Health(), Rate(0, 86_400.0), 200, NOW)
    assert (rates.limit(health, NOW + 299), rates.limit(health, NOW + 300)) == (0, None)
    health = rates.remembered(Health(), Rate(1, 86_400.0), 200, NOW)
    assert rates.limit(health, NOW + 86_399) == 1


def test_a_limit_counts_until_its_end_and_the_host_is_remembered_as_long() -> None:
    health = rates.remembered(Health(), Rate(4, 60.0), 200, NOW)
    assert (rates.limit(health, NOW + 59), rates.limit(health, NOW + 60)) == (4, None)
    assert (at_rest(health, NOW + 59), at_rest(health, NOW + 60)) == (False, True)
    assert rates.limit(health, NOW - 1) is None, "a clock that was set back proves nothing"


def test_a_good_answer_that_tells_of_no_limit_ends_that_no_call_is_left() -> None:
    none_left = rates.remembered(Health(), Rate(0, 60.0), 429, NOW)
    assert rates.limit(rates.remembered(none_left, None, 200, NOW + 1), NOW + 1) is None
    assert rates.limit(rates.remembered(none_left, None, 500, NOW + 1), NOW + 1) == 0


def guard(path: Path, plane: str = "inference", *, now: float = NOW) -> Guard:
    return Guard("https://api.example.com", plane, HealthFile(path), now=lambda: now)


def test_another_process_knows_what_the_last_answer_left(tmp_path: Path) -> None:
    path = tmp_path / "breakers.json"
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": "60"}

    async def ask() -> None:
        async with FaultyServer(in_turn(answer(200, {}, headers), answer(429, {}, headers))) as server:
            transport = Transport(Endpoint(server.url), guard=guard(path))
            await transport.call("GET", "/", deadline_s=5)
            with pytest.raises(PlatformError):
                await transport.call("GET", "/", deadline_s=5)
            await transport.aclose()

    run(ask())
    assert guard(path, now=NOW + 20).limit() == (0, 40.0)
    assert guard(path, now=NOW + 61).limit() is None
    assert guard(path, "control").limit() is None
    assert "0 calls left until" in guard(path).told()[1]


def test_a_platform_that_tells_nothing_costs_no_file(tmp_path: Path) -> None:
    async def ask() -> None:
        async with FaultyServer(always(answer(200, {}))) as server:
            transport = Transport(Endpoint(server.url), guard=guard(tmp_path / "breakers.json"))
            await transport.call("GET", "/", deadline_s=5)
            await transport.aclose()

    run(ask())
    assert not (tmp_path / "breakers.json").exists()


def test_what_an_older_version_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "breakers.json"
    old = {"failures": 2, "asked_at": NOW, "healed_at": 0.0, "passed": 0, "reserve": 8.0, "reserve_at": 0.0}
    path.write_text(json.dumps({"host": old}))
    assert HealthFile(path).health("host") == Health(failures=2, asked_at=NOW)
