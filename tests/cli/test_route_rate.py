"""The rate gate: what the platform last said of its limit decides, with its end, in every command."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.cli.rig import Operator


def limited(operator: Operator, plane: str, left: int, for_s: float) -> None:
    """As if an answer of the platform had said so just now."""
    state = operator.home / ".local/state/harpoon"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = state / "breakers.json"
    hosts = json.loads(file.read_text()) if file.exists() else {}
    rest = {"failures": 0, "asked_at": 0.0, "healed_at": 0.0, "passed": 0, "reserve": 8.0, "reserve_at": 0.0}
    told = {"calls_left": left, "told_at": time.time(), "limited_until": time.time() + for_s}
    file.write_text(json.dumps(hosts | {f"{operator.environ['HOSTED_AI_BASE_URL']} {plane}": rest | told}))


def rate_gate(operator: Operator) -> tuple[int, str, str]:
    ran = operator("route-explain", "Hello", "-o", "json")
    [gate] = [one for one in ran.data["candidates"][0]["gates"] if one["gate"] == "rate"]
    return ran.status, gate["verdict"], gate["sentence"]


def test_where_nothing_was_told_it_is_not_known(live: Operator) -> None:
    assert rate_gate(live) == (0, "passed", "not known: no rate limit is told")


def test_calls_that_are_left_pass_and_are_told_with_their_time(live: Operator) -> None:
    limited(live, "inference", 41, 90.4)
    status, verdict, sentence = rate_gate(live)
    assert (status, verdict) == (0, "passed")
    assert re.fullmatch(r"41 calls are left for (8\d|90) s", sentence)


def test_where_no_call_is_left_nothing_is_leased(live: Operator) -> None:
    limited(live, "inference", 0, 90.4)
    limited(live, "control", 50, 10.0)
    status, verdict, sentence = rate_gate(live)
    assert (status, verdict) == (7, "not now")
    assert re.fullmatch(r"the rate limit leaves no call for (8\d|90) s", sentence)
    ran = live("infer", "Hello", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (7, "rate_limited")
    assert live("leases", "-q").out == ""


@pytest.mark.parametrize("for_s", [3.0, -1.0])
def test_a_limit_that_ends_at_once_or_has_ended_stops_nobody(live: Operator, for_s: float) -> None:
    limited(live, "inference", 0, for_s)
    assert rate_gate(live)[:2] == (0, "passed")
