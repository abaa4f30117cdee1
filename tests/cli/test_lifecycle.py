"""Request, analyze, allocate, execute, release: the five steps in one command, and each on its own."""

from __future__ import annotations

import json
import re
import signal
import sqlite3

import pytest

from harpoon_cli.render.sink import Sink
from tests.cli.rig import SANDBOX_NOTE, Operator
from tests.sandbox.harness import KEY


def test_infer_answers_releases_and_prints_a_receipt(live: Operator) -> None:
    ran = live("infer", "Why is the sky blue?")
    assert ran.status == 0
    assert ran.out.startswith("[simulated]")
    assert ran.out.endswith("\n")
    labels = [line.split(":")[0] for line in ran.err.splitlines() if not line.startswith(" ")]
    assert labels == [
        "steps", "lease", "gpu", "model", "tokens", "first token", "per inference", "held", "idle", "cost",
        "released",
    ]  # fmt: skip
    assert "SIMULATED" in ran.err
    assert live("leases", "-q").out == ""


def test_every_step_of_infer_is_timed(live: Operator) -> None:
    receipt = live("infer", "Why is the sky blue?", "-o", "json").json["receipt"]
    names = [step["name"] for step in receipt["steps"]]
    assert names == ["request", "analyze", "allocate", "ready", "execute", "release"]
    assert all(step["seconds"] >= 0 for step in receipt["steps"])
    assert receipt["released"] is True


def test_an_answer_that_is_not_streamed_is_the_same(live: Operator) -> None:
    streamed = live("infer", "Why is the sky blue?", "-o", "json").data["text"]
    assert live("infer", "Why is the sky blue?", "--no-stream", "-o", "json").data["text"] == streamed
    assert live("infer", "Why is the sky blue?").out == streamed + "\n"


def test_quietly_only_the_answer_is_printed(live: Operator) -> None:
    ran = live("infer", "Why is the sky blue?", "-q")
    assert ran.out.startswith("[simulated]")
    assert ran.err == ""


def test_the_sandbox_says_what_it_is(harpoon: Operator) -> None:
    ran = harpoon("infer", "Why is the sky blue?")
    assert ran.status == 0
    assert ran.err.startswith(SANDBOX_NOTE)
    document = harpoon("infer", "Why is the sky blue?", "-o", "json").json
    assert document["endpoint"] == "sandbox"
    assert document["data"]["engine"] == "simulated"
    assert SANDBOX_NOTE.removeprefix("note: ").strip() in document["notes"]


def test_the_sandboxs_leases_survive_between_commands(harpoon: Operator) -> None:
    lease = harpoon("allocate", "--model", "gemma-2b", "-q").out.strip()
    assert harpoon("leases", "-q").out == f"{lease}\n"
    released = harpoon("release", lease, "-o", "json")
    assert (released.status, released.data["released"][0]["lease_id"]) == (0, lease)
    assert harpoon("leases", "-q").out == ""


def test_allocate_tells_accepted_and_ready_apart(harpoon: Operator) -> None:
    data = harpoon("allocate", "--model", "gemma-2b", "-o", "json").data
    assert 0 < data["accept_s"] < data["ready_s"]
    assert data["ttl_s"] == 900
    assert data["price"] == {"per_hour": "0.39", "currency": "USD", "origin": "quoted"}


def test_without_waiting_the_lease_is_only_accepted(harpoon: Operator) -> None:
    data = harpoon("allocate", "-m", "gemma-2b", "--no-wait", "-o", "json").data
    assert data["accept_s"] > 0
    assert data["ready_s"] is None


def test_a_dry_run_leases_nothing(live: Operator) -> None:
    data = live("allocate", "--vram", "0.5GB", "--tflops", "2", "--ttl", "1h", "--dry-run", "-o", "json").data
    assert (data["dry_run"], data["lease_id"], data["pool_id"], data["ttl_s"]) == (True, None, "pool", 3600)
    assert data["gpu"] == {"model": "Card", "vram_mb": 512, "tflops": 2.0}
    assert data["worst_case_cost"] == {"amount": "0.39", "currency": "USD", "origin": "estimated"}
    assert live("leases", "-q").out == ""


def test_a_ceiling_refuses_before_anything_is_leased(live: Operator) -> None:
    ran = live("allocate", "-m", "gemma-270m", "--ttl", "1h", "--max-cost", "0.10")
    assert ran.status == 10
    assert ran.err == (
        "error: 3600 s at $0.39 an hour may cost $0.39, more than the $0.10 allowed\n"
        "hint: the ceiling pays for 923 s: lower --ttl or raise --max-cost\n"
    )
    assert live("leases", "-q").out == ""


def test_infer_on_a_held_lease_leaves_it(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    ran = live("infer", "Hi", "--lease", lease, "-o", "json")
    assert (ran.status, ran.data["lease_id"], ran.json["receipt"]["kept"]) == (0, lease, True)
    assert live("leases", "-q").out == f"{lease}\n"
    assert live("release", "--all", "-q").out == f"{lease}\n"


def test_infer_can_keep_its_lease(live: Operator) -> None:
    kept = live("infer", "Hi", "--keep", "-o", "json").json["receipt"]
    assert (kept["kept"], kept["released"]) == (True, False)
    assert live("leases", "-q").out == f"{kept['lease_id']}\n"


@pytest.mark.parametrize("variable", ["HARPOON_RUN_ID", "GITHUB_RUN_ID", "CI_PIPELINE_ID"])
def test_the_leases_of_a_ci_run_are_released_by_its_id(live: Operator, variable: str) -> None:
    other = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    live.environ[variable] = "4711"
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    row = next(row for row in live("leases", "-o", "json").data["leases"] if row["lease_id"] == lease)
    assert row["owner"].endswith("(4711)")
    assert live("release", "--run", "4711", "-q").out == f"{lease}\n"
    assert live("leases", "-q").out == f"{other}\n"


def test_a_lease_that_only_the_platform_knows_can_be_seen_and_released(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    for file in (live.home / ".local/state/harpoon").glob("ledger.db*"):
        file.unlink()
    assert live("leases", "--ours", "-q").out == ""
    [row] = live("leases", "-o", "json").data["leases"]
    assert (row["lease_id"], row["state"], row["on_platform"]) == (lease, None, "active")
    assert live("release", lease).status == 0
    assert live("leases", "-q").out == ""


def test_releasing_what_is_not_there_is_status_five(live: Operator) -> None:
    ran = live("release", "alloc-none")
    assert ran.status == 5
    assert ran.err == "error: the platform knows no lease alloc-none\nhint: harpoon leases\n"


def test_another_key_at_the_same_url_is_another_account(live: Operator) -> None:
    """Not found with one team's key must not close the other team's row."""
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    ours = live.environ["HOSTED_AI_API_KEY"]
    live.environ["HOSTED_AI_API_KEY"] = "the-key-of-another-team"
    ran = live("release", "--all", "-o", "json")
    assert ran.data == {"released": []}
    assert any(live.environ["HOSTED_AI_BASE_URL"] in note for note in ran.json["notes"])
    live.environ["HOSTED_AI_API_KEY"] = ours
    assert live("release", "--all", "-q").out == f"{lease}\n"


def test_the_ledger_speaks_where_the_platform_cannot_be_asked(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    live.environ["HOSTED_AI_API_KEY"] = "wrong"
    assert live("leases", "-o", "json").data["leases"] == []
    live.environ["HOSTED_AI_API_KEY"] = KEY
    live.environ["HARPOON_PLATFORM__PATHS__ALLOCATE"] = "/openapi.json"
    ran = live("leases", "-o", "json")
    assert [row["lease_id"] for row in ran.data["leases"]] == [lease]
    assert (ran.status, len(ran.json["errors"])) == (1, 1)


def test_an_empty_run_id_is_refused(live: Operator) -> None:
    assert live("release", "--run", "").status == 2


def test_releasing_nothing_at_all_is_well(live: Operator) -> None:
    ran = live("release", "--all", "-o", "json")
    assert (ran.status, ran.data) == (0, {"released": []})


def test_a_released_lease_is_over(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    live("release", lease)
    ran = live("release", lease)
    assert ran.status == 5
    assert ran.err.startswith(f"error: lease {lease} is over already: released at ")


def test_a_cost_is_the_price_times_the_seconds_held(live: Operator) -> None:
    live("allocate", "-m", "gemma-270m", "-q")
    [released] = live("release", "--all", "-o", "json").data["released"]
    expected = 0.39 * released["seconds_held"] / 3600
    assert float(released["cost"]["amount"]) == pytest.approx(expected)
    assert released["price"] == {"per_hour": "0.39", "currency": "USD", "origin": "quoted"}
    assert released["cost"]["origin"] == "estimated"


def test_a_platform_that_is_full_is_status_six(live: Operator) -> None:
    for _ in range(2):
        assert live("allocate", "-m", "qwen-30b").status == 0
    ran = live("allocate", "-m", "qwen-30b")
    assert ran.status == 6
    assert ran.err.startswith("error: no pool can hold qwen-30b (900 MB and 9 TFLOPS) now: pool: ")


def test_the_explanation_of_infer_is_the_decision_of_route_explain(live: Operator) -> None:
    alone = live("route-explain", "Prove it step by step.", "-o", "json").data
    inside = live("infer", "Prove it step by step.", "--explain", "-o", "json").data["decision"]
    assert inside == alone
    assert alone["margin"] == pytest.approx(alone["score"]["total"] - alone["threshold"]["total"], abs=1e-9)


def test_a_model_that_cannot_run_is_replaced_only_with_a_word(live: Operator) -> None:
    live.configure("[models.gemma-270m]\nvram_mb = 100\n")
    ran = live("infer", "Prove step by step why this holds.", "-o", "json")
    assert (ran.status, ran.data["model"]) == (0, "gemma-270m")
    assert any("qwen-30b" in note for note in ran.json["notes"])


def test_pools_say_what_fits(live: Operator) -> None:
    ran = live("pools", "--fits", "qwen-32b", "-o", "json")
    [row] = ran.data["pools"]
    assert row["fits"] is False
    assert row["obstacles"] == [
        "VRAM: needs 32768 MB, a card has 1000",
        "TFLOPS: needs 40 TFLOPS, a card has 10",
        "VRAM: needs 32768 MB, free now 2000",
        "TFLOPS: needs 40 TFLOPS, free now 20",
    ]
    assert live("pools", "--fits", "gemma-270m", "-q").out == "pool\n"


def test_models_name_the_pools_they_fit_now(live: Operator) -> None:
    rows = {row["model"]["name"]: row["fits_now"] for row in live("models", "-o", "json").data["models"]}
    assert rows == {
        "gemma-270m": ["pool"], "gemma-2b": [], "mistral-7b": [], "qwen-30b": ["pool"], "qwen-32b": [],
    }  # fmt: skip


def test_an_envelope_is_one_json_document(live: Operator) -> None:
    document = json.loads(live("pools", "-o", "json").out)
    assert list(document) == [
        "schema", "command", "status", "exit", "endpoint", "data", "receipt", "notes", "errors",
    ]  # fmt: skip
    assert (document["schema"], document["status"], document["exit"]) == ("harpoon/pools/v1", "ok", 0)
    assert document["endpoint"] == live.environ["HOSTED_AI_BASE_URL"]


def test_a_held_lease_is_asked_for_the_model_it_was_leased_for(live: Operator) -> None:
    lease = live("allocate", "-m", "qwen-30b", "-q").out.strip()
    assert live("infer", "Hi", "--lease", lease, "-o", "json").data["model"] == "qwen-30b"


@pytest.mark.parametrize("flag", [["--max-cost", "0.01"], ["--keep"], ["--ttl", "5m"], ["--pool", "pool"]])
def test_an_option_about_a_new_lease_is_refused_where_there_is_none(live: Operator, flag: list[str]) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    ran = live("infer", "Hi", "--lease", lease, *flag)
    assert (ran.status, ran.err.splitlines()[0]) == (
        2,
        f"error: {flag[0]} would do nothing: the lease is held already",
    )


def test_the_parts_of_an_explanation_add_up(live: Operator) -> None:
    ran = live("infer", "Prove it step by step, why so?", "--explain")
    told = re.findall(r"^note: ([+-][0-9.]+) (\w+)", ran.err, re.MULTILINE)
    *parts, (margin, last) = [(float(amount), name) for amount, name in told]
    assert last == "margin"
    assert sum(amount for amount, _ in parts) == pytest.approx(margin, abs=1e-9)
    assert {"intercept", "threshold"} <= {name for _, name in parts}


def _written(live: Operator, change: str) -> None:
    """Change the ledger behind harpoon's back."""
    with sqlite3.connect(live.home / ".local/state/harpoon/ledger.db") as other:
        other.execute(change)
    other.close()


def _forgotten(live: Operator) -> None:
    for file in (live.home / ".local/state/harpoon").glob("ledger.db*"):
        file.unlink()


def test_a_lease_that_the_platform_shows_after_its_release_is_released_again(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    _written(live, "UPDATE leases SET state = 'released', released_at = accepted_at")
    assert live("leases", "--ours", "-q").out == ""
    assert live("release", lease, "-q").out == f"{lease}\n"
    assert live("release", lease).status == 5
    assert live("leases", "-q").out == ""


def test_a_lease_whose_ask_was_closed_as_refused_is_released_by_its_reference(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    [row] = live("leases", "-o", "json").data["leases"]
    _written(live, "UPDATE leases SET state = 'refused', lease_id = NULL")
    assert live("release", row["reference"], "-q").out == f"{lease}\n"
    assert live("leases", "-q").out == ""


def test_somebody_else_s_lease_is_released_only_with_a_word(
    live: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    live.environ["HARPOON_RUN_ID"] = "4711"
    ours = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    _written(live, f"DELETE FROM leases WHERE lease_id = '{mine}'")
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    refused = live("release", mine, ours, "-o", "json")
    assert [one["lease_id"] for one in refused.data["released"]] == [ours]
    assert refused.status == 2
    told = live("release", mine)
    assert told.status == 2
    assert f"error: lease {mine} belongs to " in told.err
    assert f"hint: if it is to end all the same: harpoon release --theirs {mine}\n" in told.err
    assert live("release", "--theirs", mine).status == 0
    assert live("leases", "-q").out == ""


def test_a_lease_of_ours_from_another_ci_run_is_ours(live: Operator) -> None:
    live.environ["HARPOON_RUN_ID"] = "4711"
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    _forgotten(live)
    live.environ["HARPOON_RUN_ID"] = "4712"
    assert live("release", lease).status == 0


def test_one_broken_row_does_not_keep_the_others_and_is_told(live: Operator) -> None:
    broken = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    _written(live, f"UPDATE leases SET request = '{{' WHERE lease_id = '{broken}'")
    ran = live("release", "--all", "-o", "json")
    assert [one["lease_id"] for one in ran.data["released"]] == [lease]
    assert ran.status == 11
    assert "not whole" in ran.json["errors"][0]["message"]
    assert any("not whole" in note for note in live("leases", "-o", "json").json["notes"])


def test_a_lease_that_cannot_be_written_down_as_kept_is_not_said_to_be(
    live: Operator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its id is out when that is found: the last words take it back."""
    state = live.home / ".local/state/harpoon"
    state.mkdir(parents=True, mode=0o700)
    (state / "kept").write_text("in the way of a directory")
    ran = live("allocate", "-m", "gemma-270m", "-q")
    assert ran.status == 11
    assert "cannot be written down as kept, and is given back" in ran.err + capfd.readouterr().err


def test_a_signal_while_the_id_of_a_kept_lease_is_told_comes_too_late(
    live: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Sink.write

    def struck(sink: Sink, text: str) -> None:
        signal.raise_signal(signal.SIGINT)
        write(sink, text)

    monkeypatch.setattr(Sink, "write", struck)
    ran = live("allocate", "-m", "gemma-270m", "-q")
    monkeypatch.undo()
    assert ran.status == 0, ran.err
    assert live("leases", "-q").out == ran.out != ""
