"""A session that keeps its model, a budget that is being spent: lines of the threshold's sum, and a gate."""

from __future__ import annotations

import json
import math
import stat
import time
from typing import Any

import pytest

from harpoon_cli.cli.last_models import KEPT_S, SESSIONS
from tests.cli.rig import Operator

CHAT = ("--session", "chat")


def threshold(operator: Operator, *line: str) -> dict[str, float]:
    asked = operator("route-explain", "Hello", *line, "-o", "json").data["threshold"]
    assert math.fsum(part["amount"] for part in asked["parts"]) == asked["total"]
    return {part["name"]: part["amount"] for part in asked["parts"]}


def sessions(operator: Operator) -> list[Any]:
    found: list[Any] = json.loads((operator.home / ".local/state/harpoon/sessions.json").read_text())
    return found


def test_a_session_prefers_the_model_that_answered_last_in_it(live: Operator) -> None:
    assert "session" not in threshold(live, *CHAT)
    live("infer", "a secret question", "--model", "qwen-30b", *CHAT)
    assert threshold(live, *CHAT)["session"] == -0.5
    assert "session" not in threshold(live)
    assert "session" not in threshold(live, "--session", "another")
    live.environ["HARPOON_ROUTING__STICKINESS"] = "9"
    explained = live("route-explain", "Hello", *CHAT, "-o", "json").data
    assert explained["model"] == "qwen-30b"
    assert live("infer", "Hello", *CHAT, "-o", "json").data["model"] == "qwen-30b"
    assert "qwen-30b answered last in this session" in live("route-explain", "Hello", *CHAT).out


def test_of_a_session_only_the_model_is_written_down_for_its_owner_alone(live: Operator) -> None:
    live("infer", "a secret question", *CHAT)
    file = live.home / ".local/state/harpoon/sessions.json"
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [[_, name, model, at]] = sessions(live)
    assert (name, model) == ("chat", "gemma-270m")
    assert time.time() - at < 60


def test_sessions_are_bounded_in_age_and_number(live: Operator) -> None:
    live("infer", "Hello", *CHAT)
    [row] = sessions(live)
    file = live.home / ".local/state/harpoon/sessions.json"
    file.write_text(json.dumps([[row[0], "chat", row[2], time.time() - KEPT_S]]))
    assert "session" not in threshold(live, *CHAT)
    file.write_text(json.dumps([[row[0], f"s{number}", row[2], time.time()] for number in range(SESSIONS)]))
    live("infer", "Hello", *CHAT)
    assert len(sessions(live)) == SESSIONS
    assert sessions(live)[0][1] == "chat"


@pytest.mark.parametrize("content", ["", "{", "{}", "[5]", '[["a", "chat", 5, 1.0]]', "[" * 9999])
def test_a_spoilt_file_of_sessions_is_as_none(live: Operator, content: str) -> None:
    live("pools")
    state = live.home / ".local/state/harpoon"
    state.mkdir(parents=True, exist_ok=True)
    (state / "sessions.json").write_text(content)
    assert "session" not in threshold(live, *CHAT)
    assert live("infer", "Hello", *CHAT).status == 0
    assert len(sessions(live)) == 1


def test_a_session_that_cannot_be_written_down_loses_no_answer(live: Operator) -> None:
    live("pools")
    (live.home / ".local/state/harpoon/sessions.json").mkdir(parents=True)
    ran = live("infer", "Hello", *CHAT)
    assert ran.status == 0
    assert "session chat is not remembered" in ran.err


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_what_is_no_name_of_a_session_is_refused(live: Operator, name: str) -> None:
    assert live("route-explain", "Hello", "--session", name).status == 2


def test_a_budget_that_were_spent_can_be_assumed(harpoon: Operator) -> None:
    assert threshold(harpoon, "--what-if", "budget.used=0.5")["budget"] == 0.5


def test_the_gate_judges_by_the_share_that_is_assumed(live: Operator) -> None:
    live.environ["HARPOON_ROUTING__BUDGET"] = "5"
    half = live("route-explain", "Hello", "--what-if", "budget.used=0.5", "-o", "json")
    assert "2.5 USD left of the budget pay for" in half.out
    ran = live("route-explain", "Hello", "--what-if", "budget.used=1", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (10, "cost_ceiling")
    assert "the budget is spent" in ran.json["errors"][0]["message"]


def cost_of_all(operator: Operator) -> float:
    [total] = operator("leases", "--cost", "-o", "json").data["total"]
    return float(total["amount"])


def test_what_leases_have_cost_presses_on_the_threshold(live: Operator) -> None:
    live("infer", "Hello")
    spent = cost_of_all(live)
    live.environ["HARPOON_ROUTING__BUDGET"] = f"{spent * 4:.15f}"
    assert threshold(live)["budget"] == pytest.approx(0.25, rel=1e-3)
    live.environ["HARPOON_ROUTING__PRESSURE"] = "8"
    ran = live("route-explain", "Hello", "-o", "json")
    assert {part["name"]: part["amount"] for part in ran.data["threshold"]["parts"]}[
        "budget"
    ] == pytest.approx(2.0, rel=1e-3)
    policy = ran.data["inputs"]["policy"]
    assert float(policy["budget"]["amount"]) == pytest.approx(spent * 4)
    assert "25% of the budget is used" in live("route-explain", "Hello").out


def test_without_a_budget_nothing_presses_and_no_ledger_is_made(live: Operator) -> None:
    assert "budget" not in threshold(live)
    assert not (live.home / ".local/state/harpoon/ledger.db").exists()


def test_a_budget_that_is_spent_removes_every_model_with_status_10(live: Operator) -> None:
    live("infer", "Hello")
    live.environ["HARPOON_ROUTING__BUDGET"] = "0.000000001"
    ran = live("infer", "Hello", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (10, "cost_ceiling")
    assert "the budget is spent" in ran.json["errors"][0]["message"]
    assert "routing.budget" in ran.json["errors"][0]["hint"]


def test_only_what_was_asked_for_in_the_budgets_time_counts(live: Operator) -> None:
    live("infer", "Hello")
    live.environ |= {"HARPOON_ROUTING__BUDGET": "0.00001", "HARPOON_ROUTING__BUDGET_S": "0.001"}
    assert "budget" not in threshold(live)


def test_a_lease_that_is_held_already_costs_the_budget_nothing(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    live.environ["HARPOON_ROUTING__BUDGET"] = "0"
    assert live("infer", "Hello", "--lease", lease).status == 0


def test_a_cost_that_is_not_in_the_budgets_currency_is_said_to_be_left_out(live: Operator) -> None:
    live("infer", "Hello")
    live.environ |= {"HARPOON_ROUTING__BUDGET": "5", "HARPOON_PLATFORM__CURRENCY": "EUR"}
    ran = live("route-explain", "Hello", "-o", "json")
    assert any("leaves out 1 leases whose cost in EUR is not known" in note for note in ran.json["notes"])
    [gate] = [one for one in ran.data["candidates"][0]["gates"] if one["gate"] == "budget"]
    assert gate["sentence"] == "not known: the budget is not in USD"
