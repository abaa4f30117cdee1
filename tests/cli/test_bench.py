"""`harpoon bench`: servers and leases, verdicts and their statuses, files, comparisons, parts, signals."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from harpoon_cli.bench import report, verdict
from harpoon_cli.bench.reports import Source, save
from harpoon_cli.bench.verdict import Bounds
from harpoon_cli.cli.bench import drive
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, served
from tests.bench.simulated import report as simulated
from tests.bench.simulated import run as samples
from tests.cli.rig import Operator, Ran
from tests.leases.watched import ended, watched
from tests.servers import Conversation, FaultyServer, always, answer, in_turn, stream

SCHEMAS = Path(report.__file__).parents[1] / "schemas"
CHAT_ANSWER = stream(*CHAT)
WHATEVER = Bounds(read_share=1e9, read_ms=1e9, lateness_ms=1e9, cpu_share=1e9)


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which tests are run is rarely quiet enough for figures that can be believed."""
    monkeypatch.setattr(report, "judge", partial(verdict.judge))
    monkeypatch.setattr(verdict, "Bounds", lambda: WHATEVER)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """An OpenAI-compatible server that answers at once."""
    with served(always(CHAT_ANSWER)) as found:
        yield found


def bench(harpoon: Operator, server: FaultyServer, *more: str) -> Ran:
    """A short load on a server, unless told otherwise."""
    load = () if {"--load", "--requests", "--definitions"} & {*more} else ("--requests", "20")
    return harpoon("bench", "--endpoint", server.url, "--model", "m", "--output-tokens", "4", *load, *more)


def test_a_server_is_loaded_and_its_figures_are_told(harpoon: Operator, server: FaultyServer) -> None:
    ran = bench(harpoon, server, "--concurrency", "4", "-o", "json")
    assert ran.status == 0, ran.err
    whole = ran.data["report"]["whole"]
    assert (whole["completed"], whole["failed"], whole["output_tokens"]) == (20, 0, 80)
    assert ran.data["report"]["run"]["load"] == "closed:concurrency=4,requests=20"
    assert ran.data["report"]["recording"] is None
    assert len(server.requests) == 20
    assert {request.target for request in server.requests} == {"/v1/chat/completions"}
    assert {request.headers.get("authorization") for request in server.requests} == {None}
    validate("bench", ran.out)


def test_people_are_told_latencies_rates_and_the_verdict(harpoon: Operator, server: FaultyServer) -> None:
    ran = bench(harpoon, server)
    assert ran.status == 0, ran.err
    assert re.search(r"^time to first token\t", ran.out, re.MULTILINE)
    assert "20 answered, 0 failed" in ran.out
    assert "run\tVALID\n" in ran.out
    assert ran.out.endswith("verdict\tpassed\n")
    assert ran.err == ""


def test_failed_requests_are_status_8_unless_they_are_allowed(harpoon: Operator) -> None:
    refusals = in_turn(*[answer(503, {"error": {"message": "no room"}}), *[CHAT_ANSWER] * 9] * 2)
    with served(refusals) as server:
        ran = bench(harpoon, server, "-o", "json")
        assert ran.status == 8
        assert ran.json["errors"][0]["code"] == "thresholds_missed"
        assert "error_rate: 10 % of the requests failed, 0 % allowed: 2 http_503" in ran.err
        assert "no room" in ran.err
    with served(in_turn(answer(503), CHAT_ANSWER)) as server:
        assert bench(harpoon, server, "--max-error-rate", "5%").status == 0


def test_a_threshold_that_is_missed_is_status_8_and_named(harpoon: Operator, server: FaultyServer) -> None:
    ran = bench(harpoon, server, "--slo", "e2e_p50=1us,ttft_p50=9s,requests_per_s=1")
    assert ran.status == 8
    assert re.search(r"error: e2e_p50: [0-9.]+ ms, 0\.001 ms allowed", ran.err)
    assert "ttft_p50\tkept" in ran.out
    assert "error: ttft" not in ran.err


def test_figures_that_are_the_tools_own_are_status_12(
    harpoon: Operator, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "Bounds", lambda: replace(WHATEVER, cpu_share=0.0))
    ran = bench(harpoon, server, "-o", "json")
    assert ran.status == 12
    assert ran.json["errors"][0]["code"] == "run_invalid"
    assert ran.data["report"]["verdict"]["validity"] == "INVALID"


def test_a_run_that_is_ended_early_is_status_13(harpoon: Operator, server: FaultyServer) -> None:
    ran = bench(harpoon, server, "--load", "constant:rate=20,for=1h", "--max-duration", "2s", "-o", "json")
    assert ran.status == 13
    assert ran.json["errors"][0]["code"] == "run_incomplete"
    assert ran.data["report"]["verdict"]["reasons"][0].endswith("by --max-duration")


def test_a_bound_that_delayed_what_was_due_is_told_and_nothing_due_is_left_out(harpoon: Operator) -> None:
    async def takes_its_time(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await asyncio.sleep(0.05)
            await conversation.send(CHAT_ANSWER)

    with served(takes_its_time) as slow:
        ran = bench(harpoon, slow, "--rate", "100", "--concurrency", "1", "--duration", "300ms", "-o", "json")
    report, whole = ran.data["report"], ran.data["report"]["whole"]
    assert (report["run"]["max_concurrency"], report["run"]["open_loop"]) == (1, True)
    assert whole["completed"] == whole["started"] == len(slow.requests) > 6
    assert whole["to_s"] > 0.3
    p50 = {name: found["percentiles"][0]["ms"] for name, found in whole["latencies"].items()}
    assert p50["e2e_from_intended"] > 2 * p50["e2e"]
    assert "requests waited for one of the 1 places" in report["verdict"]["warnings"][0]


def test_nobody_at_the_address_is_told_with_the_reason(harpoon: Operator) -> None:
    with served(always(b"")) as gone:
        url = gone.url
    ran = harpoon("bench", "--endpoint", url, "-m", "m", "--requests", "3")
    assert ran.status == 8
    assert '3 refused ("Connection refused")' in ran.err


def test_every_report_that_is_asked_for_is_written(harpoon: Operator, server: FaultyServer) -> None:
    names = ["run.html", "run.md", "run.csv", "run.xml", "run.json"]
    reports = [word for name in names for word in ("--report", name)]
    saved = ("--save-result", "vllm.json", "--save-detailed", "--out", "whole.json", "--label", "nightly")
    ran = bench(harpoon, server, *reports, *saved, "--metadata", "commit=abc", "-o", "json")
    assert ran.status == 0, ran.err
    assert ran.data["files"] == [*names, "whole.json", "vllm.json"]
    assert "<html" in Path("run.html").read_text()
    assert Path("run.md").read_text().startswith("## harpoon bench passed")
    assert len(Path("run.csv").read_text().splitlines()) == 21
    assert ET.fromstring(Path("run.xml").read_text()).tag == "testsuites"
    assert Path("run.json").read_text() == Path("whole.json").read_text()
    assert json.loads(Path("whole.json").read_text())["run"]["metadata"] == {"commit": "abc"}
    vllm = json.loads(Path("vllm.json").read_text())
    assert (vllm["completed"], vllm["label"], vllm["commit"]) == (20, "nightly", "abc")
    assert [len(vllm[name]) for name in ("ttfts", "itls", "errors")] == [20, 20, 20]


def test_a_report_that_cannot_be_written_is_an_error_and_the_others_are_there(
    harpoon: Operator, server: FaultyServer
) -> None:
    Path("taken.md").mkdir()
    ran = bench(harpoon, server, "--report", "taken.md", "--report", "run.json")
    assert ran.status == 11
    assert "taken.md cannot be written" in ran.err
    assert Path("run.json").exists()


def test_a_github_workflow_gets_its_summary_and_annotations(
    harpoon: Operator, server: FaultyServer, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    harpoon.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ran = bench(harpoon, server, "--slo", "e2e_p50=1us", "-o", "json")
    assert "did not pass" in summary.read_text()
    assert "::error title=harpoon bench%3A e2e_p50::" in ran.err
    assert ran.json["exit"] == 8


def test_a_key_is_sent_only_where_its_variable_is_named(harpoon: Operator, server: FaultyServer) -> None:
    harpoon.environ |= {"HOSTED_AI_API_KEY": "not-for-others", "THEIR_KEY": "for-them-alone"}
    harpoon.environ["HOSTED_AI_BASE_URL"] = "https://platform.example"
    assert bench(harpoon, server).status == 0
    ran = bench(harpoon, server, "--key-env", "THEIR_KEY", "--out", "run.json", "-vv")
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == [None] * 20 + ["Bearer for-them-alone"] * 20
    assert "for-them-alone" not in ran.out + ran.err + Path("run.json").read_text()
    ran = bench(harpoon, server, "--key-env", "NOT_SET")
    assert (ran.status, "the variable NOT_SET is not set" in ran.err) == (3, True)
    harpoon.environ["TWO_LINES"] = "key\r\nX-Mine: yes"
    assert bench(harpoon, server, "--key-env", "TWO_LINES").status == 3


def test_a_key_may_come_from_a_file_that_nobody_else_can_read(
    harpoon: Operator, server: FaultyServer
) -> None:
    path = Path("key")
    path.write_text("for-them-alone\n")
    path.chmod(0o600)
    ran = bench(harpoon, server, "--key-file", "key", "--requests", "1", "-vv")
    assert ran.status == 0, ran.err
    assert server.requests[0].headers["authorization"] == "Bearer for-them-alone"
    assert "for-them-alone" not in ran.out + ran.err
    path.chmod(0o644)
    assert bench(harpoon, server, "--key-file", "key").status == 3
    assert bench(harpoon, server, "--key-file", "key", "--key-env", "HOME").status == 2
    assert len(server.requests) == 1


def test_an_address_may_be_given_as_it_is_called(harpoon: Operator, server: FaultyServer) -> None:
    for url in (server.url, f"{server.url}/v1/", f"{server.url}/v1/chat/completions"):
        assert harpoon("bench", "--endpoint", url, "-m", "m", "--requests", "1").status == 0
    assert {request.target for request in server.requests} == {"/v1/chat/completions"}


def test_requests_carry_the_fields_that_are_given(harpoon: Operator, server: FaultyServer) -> None:
    assert (
        bench(harpoon, server, "--body", "temperature=0.5", "--body", "user=me", "--requests", "1").status
        == 0
    )
    body = server.requests[0].json
    assert isinstance(body, dict)
    assert (body["temperature"], body["user"], body["model"], body["stream"]) == (0.5, "me", "m", True)


def test_a_price_gives_what_requests_cost(harpoon: Operator, server: FaultyServer) -> None:
    ran = bench(harpoon, server, "--price-per-hour", "3.60", "-o", "json")
    cost = ran.data["report"]["cost"]
    assert cost["total"]["origin"] == "estimated"
    each, whole = float(cost["per_request"]["amount"]), float(cost["total"]["amount"])
    assert each == pytest.approx(whole / 20)
    assert whole == pytest.approx(cost["held_s"] / 1000)


def test_prompts_are_routed_each_to_the_model_that_can_answer_it(
    harpoon: Operator, server: FaultyServer
) -> None:
    hard = "Prove that there are infinitely many primes, step by step, and then refactor this Rust code: " * 3
    lines = [json.dumps({"prompt": text}) for text in ("Say hi.", hard)]
    Path("prompts.jsonl").write_text("\n".join(lines))
    asks = ("--route", "--prompts", "prompts.jsonl", "--requests", "4", "-o", "json")
    ran = harpoon("bench", "--endpoint", server.url, *asks)
    assert ran.status == 0, ran.err
    assert ran.data["report"]["models"].keys() == {"gemma-270m", "qwen-30b"}


WRONG = {
    "": "say which model to ask",
    "-m m --load bogus": "there is no load shape 'bogus'",
    "-m m --load poisson:rate=x": "is not a number",
    "-m m --load soak:concurrency=2,for=9s,at_most=3": "concurrency is a bound already",
    "-m m --load poisson:3": "has no end",
    "-m m --burstiness 2": "--burstiness needs --rate",
    "-m m --load closed:4,requests=1 --requests 9": "--requests would do nothing beside --load",
    "-m m --prompts prompts.bin": "cannot be told from its name",
    "-m m --prompts gone.jsonl": "cannot be read",
    "-m m --work text:path=gone --input-tokens 3": "--input-tokens would do nothing beside --work",
    "-m m --input-tokens none": "is not a length",
    "-m m --load trace:gone.jsonl --output-tokens 3": "--output-tokens alone would put made-up prompts",
    "-m m --slo bogus=1": "is not FIGURE=LIMIT",
    "-m m --warmup soon": "the warm-up 'soon'",
    "-m m --baseline gone.json": "gone.json cannot be read",
    "-m m --report run.doc": "no report has that suffix",
    "-m m --out gone/run.json": "there is no folder gone",
    "-m m --save-detailed": "--save-detailed needs --save-result",
    "-m m --body temperature": "is not FIELD=JSON",
    "-m m --max-cost 1": "--max-cost would do nothing",
    "-m m --allocation-cycles 3": "--allocation-cycles would do nothing",
    "-m m --shard 4/4 --out part.json": "--shard 4/4 is no part of a whole",
    "-m m --shard 0/2": "needs a file",
    "-m m --start-at 2026-01-01": "--start-at needs --shard",
    "-m m --shard 0/2 --out part.json --load sweep": "a search cannot be made in parts",
    "-m m --concurrency 2 --requests 2 --processes 3": "cannot be shared by 3",
    "-m m --route": "leave one of them out",
    "-m m --max-error-rate 101%": "is not a percentage",
    "-m m --model x compare a b": "stand after its name",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_with_a_command_line_is_told_before_anything_is_sent(
    harpoon: Operator, server: FaultyServer, line: str
) -> None:
    ran = harpoon("bench", "--endpoint", server.url, *line.split())
    assert ran.status == 2, ran.err
    assert WRONG[line] in ran.err
    assert server.requests == []


def test_what_every_figure_means_is_told_without_a_run(harpoon: Operator) -> None:
    ran = harpoon("bench", "--definitions", "-o", "json")
    assert ran.status == 0
    assert {"ttft", "itl", "request_mean_gap", "goodput"} <= {one["name"] for one in ran.data["definitions"]}
    validate("bench", ran.out)


# Comparisons


@pytest.fixture
def results(harpoon: Operator) -> tuple[Path, Path]:
    """A result, and one of a server that became half as slow again."""
    old, new = simulated(slo=""), simulated(samples(seed=2, slower=1.5), slo="")
    for name, one in (("old.json", old), ("new.json", new)):
        save("json", Source(one), Path(name))
    return Path("old.json"), Path("new.json")


def test_a_regression_is_status_8_and_names_the_figures(
    harpoon: Operator, results: tuple[Path, Path]
) -> None:
    ran = harpoon("bench", "compare", "old.json", "new.json", "--report", "pr.md", "-o", "json")
    assert ran.status == 8
    assert {one["code"] for one in ran.json["errors"]} == {"regressed"}
    assert "error: ttft_p50 is worse by " in ran.err
    assert "itl" in Path("pr.md").read_text()
    validate("bench-compare", ran.out)


def test_what_is_allowed_or_chance_is_no_regression(harpoon: Operator, results: tuple[Path, Path]) -> None:
    assert harpoon("bench", "compare", "old.json", "new.json", "--max-regression", "90%").status == 0
    assert harpoon("bench", "compare", "old.json", "old.json").status == 0
    assert harpoon("bench", "compare", "new.json", "old.json").status == 0


def test_another_kind_of_file_than_a_result_is_named(harpoon: Operator, server: FaultyServer) -> None:
    Path("printed.json").write_text(bench(harpoon, server, "-o", "json", "--save-result", "vllm.json").out)
    Path("newer.json").write_text('{"schema": "harpoon.bench/2"}')
    part = ("--shard", "0/2", "--out", "part.json", "--concurrency", "2")
    assert bench(harpoon, server, *part).status == 0
    told = {
        "printed.json": "is what -o json prints",
        "vllm.json": "is a result under vLLM's names",
        "newer.json": "has the schema 'harpoon.bench/2', not 'harpoon.bench/1'",
        "part.json": "is one part of a run",
    }
    for name, sentence in told.items():
        ran = harpoon("bench", "compare", name, name)
        assert (ran.status, f"{name} {sentence}" in ran.err) == (2, True), ran.err


def test_runs_too_short_to_compare_are_status_12(harpoon: Operator, server: FaultyServer) -> None:
    assert bench(harpoon, server, "--out", "old.json").status == 0
    ran = bench(harpoon, server, "--baseline", "old.json", "-o", "json")
    assert ran.status == 12
    assert "the runs are too short to tell a change from chance" in ran.err
    assert ran.data["comparison"]["old"] == "old.json"


# Parts of a run


def test_parts_are_put_together_and_one_that_is_missing_is_status_13(
    harpoon: Operator, server: FaultyServer
) -> None:
    for number in range(2):
        part = ("--shard", f"{number}/2", "--out", f"{number}.json", "--slo", "ttft_p50=9s")
        ran = bench(harpoon, server, "--concurrency", "2", *part)
        assert ran.status == 0, ran.err
    merged = harpoon("bench", "merge", "0.json", "1.json", "--out", "whole.json", "-o", "json")
    assert merged.status == 0, merged.err
    whole = merged.data["report"]
    assert (whole["whole"]["completed"], len(whole["watches"])) == (20, 2)
    assert [check["standing"] for check in whole["checks"]] == ["kept"]
    assert len(server.requests) == 20
    assert harpoon("bench", "merge", "1.json").status == 13
    assert harpoon("bench", "merge", "1.json", "1.json").status == 2
    assert harpoon("bench", "merge", "whole.json").status == 2
    validate("bench-merge", merged.out)


def test_a_part_does_not_begin_after_its_time(harpoon: Operator, server: FaultyServer) -> None:
    late = ("--shard", "0/2", "--out", "0.json", "--concurrency", "2", "--start-at", "2026-01-01T00:00:00Z")
    ran = bench(harpoon, server, *late)
    assert ran.status == 2
    assert "s ago" in ran.err
    assert server.requests == []


# Leases


def test_a_slice_is_leased_loaded_and_given_back(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--concurrency", "2", "--requests", "6", "-o", "json")
    assert ran.status == 0, ran.err
    found = ran.data["report"]
    assert (found["whole"]["completed"], found["run"]["gpu"]) == (6, "Card, 100 MB, 1 TFLOPS")
    assert found["counted"] == {"the server's usage": 6}
    times = found["lease"]
    assert all(len(times[name]) == 1 for name in ("accepted_s", "ready_s", "model_ready_s", "released_s"))
    assert times["accepted_s"][0] <= times["ready_s"][0] <= times["model_ready_s"][0]
    receipt = ran.json["receipt"]
    assert receipt["released"] is True
    assert [step["name"] for step in receipt["steps"]] == ["allocate", "ready", "model", "load", "release"]
    assert found["cost"]["held_s"] == receipt["seconds_held"]
    assert live("leases", "-q").out == ""
    validate("bench", ran.out)


def test_allocation_is_timed_cycle_by_cycle(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--allocation-cycles", "3", "-o", "json")
    assert ran.status == 0, ran.err
    assert [len(times) for times in ran.data["allocation"].values()] == [3, 3, 3, 3]
    assert ran.data["report"] is None
    receipt = ran.json["receipt"]
    assert [step["name"] for step in receipt["steps"]] == ["allocate", "ready", "model", "release"]
    assert float(ran.data["allocation_cost"]["amount"]) > float(receipt["cost"]["amount"])
    validate("bench", ran.out)
    ignored = live("bench", "-m", "gemma-270m", "--allocation-cycles", "3", "--rate", "2", "--out", "x.json")
    assert (ignored.status, "--rate, --out would do nothing" in ignored.err) == (2, True)
    assert live("leases", "-q").out == ""


def test_a_held_lease_is_loaded_and_stays_held(live: Operator) -> None:
    lease = live("allocate", "-m", "gemma-270m", "-q").out.strip()
    ran = live("bench", "-m", "gemma-270m", "--lease", lease, "--requests", "2", "-o", "json")
    assert ran.status == 0, ran.err
    assert ran.data["report"]["cost"] is not None
    assert live("leases", "-q").out.strip() == lease
    ran = live("bench", "-m", "gemma-270m", "--lease", lease, "--max-cost", "1")
    assert (ran.status, "the lease is held already" in ran.err) == (2, True)


def test_the_sandbox_is_loaded_and_says_what_it_is(harpoon: Operator) -> None:
    ran = harpoon("bench", "-m", "gemma-270m", "--requests", "2", "--output-tokens", "2", "-o", "json")
    assert ran.status == 0, ran.err
    assert ran.json["endpoint"] == "sandbox"
    assert "its times say nothing about a GPU" in ran.json["notes"][-1]


def test_a_ceiling_that_the_load_cannot_keep_is_refused_before_the_lease(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--rate", "1", "--duration", "10h", "--max-cost", "0.01")
    assert ran.status == 10
    assert live("leases", "-q").out == ""


def test_the_configured_time_is_not_shortened_to_less_than_the_load(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--duration", "3m", "--max-cost", "0.01")
    assert ran.status == 10
    assert "the load takes 180 s" in ran.err
    assert live("leases", "-q").out == ""


def test_a_load_that_the_ceiling_ends_is_status_10(live: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "RESERVE_S", 90.0)  # of the 92 s that the ceiling pays for
    ran = live("bench", "-m", "gemma-270m", "--requests", "1000000", "--max-cost", "0.01", "-o", "json")
    assert ran.status == 10, ran.err
    assert [error["code"] for error in ran.json["errors"]] == ["cost_ceiling", "run_incomplete"]
    assert ran.data["report"]["verdict"]["reasons"][0].endswith("by --max-cost")
    assert ran.json["receipt"]["released"] is True


def test_a_model_that_fits_no_pool_or_is_unknown_is_told_before_the_lease(live: Operator) -> None:
    assert live("bench", "-m", "bogus").status == 5
    assert live("bench", "-m", "mistral-7b").status == 6
    assert live("bench", "-m", "gemma-270m", "--shard", "0/2", "--out", "0.json").status == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_early_tells_what_there_is_and_gives_the_lease_back(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with watched(tmp_path, held="stream") as place:
        process = place.harpoon("bench", "-m", "gemma-2b", "--concurrency", "2", "-o", "json")
        place.application.wait_for("stream")
        process.send_signal(number)
        found, out, err = ended(process)
        assert (found, place.live()) == (status, []), err
        document = json.loads(out)
        verdict_told = document["data"]["report"]["verdict"]
        assert verdict_told["validity"] == "INCOMPLETE"
        assert verdict_told["reasons"][0].startswith("it was stopped after")
        assert document["receipt"]["released"] is True
        assert f"stopped by {number.name}; nothing of this command is held" in err


def validate(name: str, text: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator(schema).validate(json.loads(text))
