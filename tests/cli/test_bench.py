"""`harpoon bench`: servers and leases, verdicts and their statuses, files, comparisons, parts, signals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from harpoon_cli.bench.engine import crew
from harpoon_cli.bench.engine.errand import Errand
from harpoon_cli.bench.engine.process import EngineProcess, start
from harpoon_cli.bench.judging import report, verdict
from harpoon_cli.bench.judging.verdict import Bounds
from harpoon_cli.bench.recording.filing import Filing
from harpoon_cli.bench.reports import Source, save
from harpoon_cli.cli import leasing
from harpoon_cli.cli.bench import drive, on_lease
from harpoon_cli.cli.bench.on_lease import _left
from harpoon_cli.cli.commands import bench as command
from harpoon_cli.domain import Money, Origin, PoolId, Price, Requirements
from harpoon_cli.errors import CostCeilingReached
from harpoon_cli.leases.ceiling import budget
from harpoon_cli.leases.lifecycle import Order
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, DONE, delta, event, served
from tests.bench.simulated import report as simulated
from tests.bench.simulated import run as samples
from tests.bench.test_plan_work import tokenizer_file
from tests.cli.rig import Operator, Ran
from tests.leases.watched import ended, watched
from tests.servers import Conversation, FaultyServer, always, answer, in_turn, stream
from tests.settings.test_settings_secrets import use_keyring

SCHEMAS = Path(report.__file__).parents[2] / "schemas"
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


def test_a_threshold_that_too_few_samples_leave_open_is_not_known_and_not_0(
    harpoon: Operator, server: FaultyServer
) -> None:
    ran = bench(harpoon, server, "--slo", "ttft_p99=9s,goodput=95%,ttft_p50=9s", "-o", "json")
    assert ran.status == 8
    assert [one["code"] for one in ran.json["errors"]] == ["not_judged", "not_judged"]
    assert "ttft_p99: not known: " in ran.err
    assert "of too few samples, at least 368 independent ones are needed" in ran.err
    assert "goodput: not known: 100 %, but of too few samples, at least 72 independent" in ran.err
    assert ran.data["report"]["verdict"]["undecided"] == ["ttft_p99", "goodput"]
    assert bench(harpoon, server, "--slo", "ttft_p99=9s").out.endswith("verdict\tnot known\n")
    assert bench(harpoon, server, "--slo", "ttft_p50=9s,error_rate=0%").status == 0


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


def test_a_run_whose_engines_are_lost_before_any_answer_is_status_13(
    harpoon: Operator, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(errand: Errand) -> EngineProcess:
        engine = start(errand)
        os.kill(engine.pid, signal.SIGKILL)
        return engine

    monkeypatch.setattr(crew, "start", killed)
    ran = bench(harpoon, server, "-o", "json")
    assert ran.status == 13, ran.out
    (error,) = ran.json["errors"]
    assert error["message"] == "the run is INCOMPLETE: engine process 1 of 1 was ended by signal 9"


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


def test_a_key_may_come_from_a_command_that_no_shell_sees(harpoon: Operator, server: FaultyServer) -> None:
    program = Path("my key").absolute()
    program.write_text('#!/bin/sh\necho "for-$1"\n')
    program.chmod(0o700)
    ran = bench(harpoon, server, "--key-command", f"'{program}' 'them;x'", "--requests", "1", "-vv")
    assert ran.status == 0, ran.err
    assert server.requests[0].headers["authorization"] == "Bearer for-them;x"
    assert "for-them" not in ran.out + ran.err
    ran = bench(harpoon, server, "--key-command", "false")
    assert (ran.status, "--key-command: false ended with status 1" in ran.err) == (3, True)
    assert bench(harpoon, server, "--key-command", "'").status == 2
    assert bench(harpoon, server, "--key-keyring", "no-user").status == 2
    assert len(server.requests) == 1


def test_a_key_may_come_from_the_keyring(
    harpoon: Operator, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keyring(monkeypatch)["llm", "me"] = "for-them-alone"
    ran = bench(harpoon, server, "--key-keyring", "llm/me", "--requests", "1", "-vv")
    assert ran.status == 0, ran.err
    assert server.requests[0].headers["authorization"] == "Bearer for-them-alone"
    assert "for-them-alone" not in ran.out + ran.err


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


def test_prompts_are_routed_by_what_answers_are_known_to_take(
    harpoon: Operator, server: FaultyServer
) -> None:
    harpoon("pools")
    taken = {"gemma-270m": [4.0, 4.0]}
    (harpoon.home / ".cache/harpoon/latencies.json").write_text(json.dumps({"sandbox": taken}))
    harpoon.environ["HARPOON_HTTP__INFERENCE_S"] = "3"
    Path("prompts.jsonl").write_text('{"prompt": "Say hi."}')
    ran = harpoon(
        *("bench", "--endpoint", server.url, "--route", "--prompts", "prompts.jsonl", "--requests", "4"),
        *("-o", "json"),
    )
    assert ran.status == 0, ran.err
    told = harpoon("route-explain", "Say hi.", "-o", "json").data["model"]
    assert (list(ran.data["report"]["models"]), told) == (["qwen-30b"], "qwen-30b")


def test_tokens_are_counted_by_a_tokenizer_file_where_the_server_tells_no_usage(harpoon: Operator) -> None:
    path = tokenizer_file(Path("tokenizer.json"), ["some", "few", "words", "more"])
    told = (event(delta(content="some few words")), event(delta(content=" more words")), event(delta("stop")))
    Path("p.jsonl").write_text('{"prompt": "more words"}')
    with served(always(stream(*told, DONE))) as server:
        ask = (*("bench", "--endpoint", server.url, "-m", "m", "--prompts", "p.jsonl"), "--requests", "20")
        by_chunks = harpoon(*ask, "-o", "json").data["report"]
        ran = harpoon(*ask, "--tokenizer", str(path), "-o", "json")
        shown = harpoon(*ask, "--tokenizer", str(path)).out
    assert ran.status == 0, ran.err
    found = ran.data["report"]
    assert (found["whole"]["output_tokens"], found["whole"]["input_tokens"]) == (100, 40)
    assert (found["counted"], found["run"]["tokenizer"]) == ({"a tokenizer file": 20}, str(path))
    assert (by_chunks["whole"]["output_tokens"], by_chunks["counted"]) == (40, {"streamed chunks": 20})
    assert "counted: 20 by a tokenizer file" in shown


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
    "-m m --input-tokens 9..8": "hint: harpoon bench --help",
    "-m m --prompts p.txt --input-tokens 8": "--input-tokens would do nothing beside --prompts p.txt",
    "-m m --prompts p.json --output-tokens 8": "--output-tokens would do nothing beside --prompts p.json",
    "-m m --load trace:gone.jsonl --output-tokens 3": "--output-tokens alone would put made-up prompts",
    "-m m --slo bogus=1": "is not FIGURE=LIMIT",
    "-m m --warmup soon": "the warm-up 'soon'",
    "-m m --max-regression 5%": "--max-regression needs --baseline",
    "-m m --baseline gone.json": "gone.json cannot be read",
    "-m m --report run.doc": "no report has that suffix",
    "-m m --out gone/run.json": "there is no folder gone",
    "-m m --save-detailed": "--save-detailed needs --save-result",
    "-m m --body temperature": "is not FIELD=JSON",
    "-m m --max-cost 1": "--max-cost would do nothing",
    "-m m --allocation-cycles 3": "--allocation-cycles would do nothing",
    "-m m --shard 4/4 --out part.json": "--shard 4/4 is no part of a whole",
    "-m m --shard 0/2": "needs a file",
    "-m m --shard 0/2 --out p.json --report r.html": "--report would do nothing beside --shard",
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


def test_a_bound_on_regressions_is_not_kept_by_figures_that_are_not_known(harpoon: Operator) -> None:
    few = simulated(samples(20, rate=10), slo="")
    save("json", Source(few), Path("few.json"))
    ran = harpoon("bench", "compare", "few.json", "few.json", "--max-regression", "5%")
    assert ran.status == 8, ran.err
    assert "ttft_p99" in ran.err
    assert "not known whether worse than in few.json, there are too few samples" in ran.err
    assert ran.out.endswith("comparison\tnot known\n")
    assert harpoon("bench", "compare", "few.json", "few.json").status == 0


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
    assert "hint: put the parts together first: harpoon bench merge" in ran.err


def test_a_result_that_cannot_be_read_is_told_with_what_may_have_been_meant(harpoon: Operator) -> None:
    Path("results.json").write_text("cut off")
    asks = {
        "result.json": "results.json is there",
        "other.txt": "name a file that is there and that you may read: ls -l .",
        ".": "name a file in it",
        "results.json": "harpoon bench ... --out FILE writes such a file; where it did, the file is cut",
    }
    for name, hint in asks.items():
        ran = harpoon("bench", "compare", name, "results.json")
        assert (ran.status, f"hint: {hint}" in ran.err) == (2, True), ran.err


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


def test_how_far_apart_parts_began_is_told(harpoon: Operator, server: FaultyServer) -> None:
    for number in range(2):
        part = ("--concurrency", "2", "--shard", f"{number}/2", "--out", f"{number}.json")
        assert bench(harpoon, server, *part).status == 0
    ran = harpoon("bench", "merge", "0.json", "1.json", "-o", "json")
    skew = ran.data["report"]["skew"]
    assert (skew["parts"], skew["clocks"]) == (2, "by their machines' own clocks")
    assert 0 < skew["p50_ms"] <= skew["most_ms"]
    assert "\nstart skew\tp50 " in harpoon("bench", "merge", "0.json", "1.json").out
    validate("bench-merge", ran.out)


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


def test_a_lease_is_given_back_before_what_engines_have_sent_is_looked_at(
    live: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    leased, rest = leasing.leased, Filing.rest

    @asynccontextmanager
    async def noted(*terms: Any, **more: Any) -> AsyncIterator[Tenancy]:
        async with leased(*terms, **more) as tenancy:
            yield tenancy
        seen.append("released")

    async def filed(filing: Filing) -> None:
        seen.append("filed")
        await rest(filing)

    monkeypatch.setattr(on_lease, "leased", noted)
    monkeypatch.setattr(Filing, "rest", filed)
    ran = live("bench", "-m", "gemma-270m", "--concurrency", "2", "--requests", "6", "-o", "json")
    assert (ran.status, seen) == (0, ["released", "filed"]), ran.err
    assert ran.data["report"]["whole"]["completed"] == 6


def test_it_is_said_on_stderr_that_many_samples_are_looked_at(
    harpoon: Operator, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = bench(harpoon, server)
    assert "looking at" not in ran.err + ran.out
    monkeypatch.setattr(command, "MOMENT_BYTES", -1)
    ran = bench(harpoon, server)
    assert "\nbench: looking at the last samples, " in f"\n{ran.err}"
    assert "looking at" not in ran.out
    assert "looking at" not in bench(harpoon, server, "--quiet").err


def test_allocation_is_timed_cycle_by_cycle(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--allocation-cycles", "3", "-o", "json")
    assert ran.status == 0, ran.err
    assert [len(times) for times in ran.data["allocation"].values()] == [3, 3, 3, 3]
    assert ran.data["report"] is None
    receipt = ran.json["receipt"]
    assert [step["name"] for step in receipt["steps"]] == ["allocate", "ready", "model", "release"]
    assert float(ran.data["allocation_cost"]["amount"]) > float(receipt["cost"]["amount"])
    assert live("leases", "--cost", "-o", "json").data["total"] == [ran.data["allocation_cost"]]
    validate("bench", ran.out)
    ignored = live("bench", "-m", "gemma-270m", "--allocation-cycles", "3", "--rate", "2", "--out", "x.json")
    assert (ignored.status, "--rate, --out would do nothing" in ignored.err) == (2, True)
    assert live("leases", "-q").out == ""


@pytest.mark.parametrize(
    "option",
    [
        *(
            "--load closed:1",
            "--concurrency 2",
            "--rate 2",
            "--burstiness 2",
            "--requests 2",
            "--duration 1s",
        ),
        *("--max-duration 1s", "--warmup none", "--seed 1", "--processes 2", "--work synthetic"),
        *("--prompts p.txt", "--input-tokens 3", "--output-tokens 3", "--tokenizer t.json"),
        *("--slo ttft_p50=1s", "--max-error-rate 1", "--baseline b.json", "--max-regression 1"),
        *("--out x.json", "--report x.md", "--save-result x.json", "--save-detailed", "--label x"),
        *("--metadata a=b", "--shard 0/2", "--start-at 1", "--workers tcp://h:1", "--dialect openai2"),
        *("--key-env K", "--key-file k", "--price-per-hour 1", "--body a=1", "--no-stream"),
        "--request-timeout 1s",
    ],
)
def test_what_allocation_cycles_would_ignore_is_refused_by_name(live: Operator, option: str) -> None:
    ran = live("bench", "-m", "gemma-270m", "--allocation-cycles", "2", *option.split())
    assert ran.status == 2
    assert f"{option.split()[0]} would do nothing beside --allocation-cycles" in ran.err


def test_what_only_a_named_server_needs_is_refused_without_one(live: Operator) -> None:
    ran = live("bench", "-m", "gemma-270m", "--key-file", "k", "--price-per-hour", "1")
    assert (ran.status, "--key-file, --price-per-hour would do nothing without" in ran.err) == (2, True)
    assert live("leases", "--all", "-q").out == ""


def test_the_options_are_told_in_groups(harpoon: Operator) -> None:
    told = harpoon("bench", "--help").out
    groups = ("Target", "Lease", "Load shape", "Work", "Measurement", "Gates", "Output", "Spread")
    assert all(f"\n{group}:\n" in told for group in groups)
    assert told.index("--slo") > told.index("Gates:")
    assert "\nOptions of every command:\n" in harpoon("pools", "--help").out


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
    cost = ran.json["receipt"]["cost"]
    assert live("leases", "--cost", "-o", "json").data["total"] == [cost]
    assert ran.data["report"]["cost"]["total"] == cost
    assert float(cost["amount"]) < 0.01


def test_what_one_lease_cost_is_not_there_for_the_next() -> None:
    price = Price(Decimal("3.60"), "USD")
    settled = budget(price, 900, Decimal("0.1"), fixed=False)
    order = Order(PoolId("pool"), Requirements(1, 1.0), settled.ttl_s, price=price)
    ceiling, following = _left(settled, order, Money(Decimal("0.04"), "USD", Origin.ESTIMATED))
    assert (settled.ttl_s, following.ttl_s) == (100, 60)
    assert ceiling is not None
    assert ceiling.max_cost == Decimal("0.06")
    with pytest.raises(CostCeilingReached):
        _left(settled, order, Money(Decimal("0.099"), "USD", Origin.ESTIMATED))


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


# Several models


def test_models_are_asked_by_their_weights_and_each_has_its_figures(
    harpoon: Operator, server: FaultyServer
) -> None:
    asks = ("--model", "small=3", "--model", "large", "--requests", "80", "--seed", "7", "-o", "json")
    ran = harpoon("bench", "--endpoint", server.url, *asks, "--report", "r.csv", "--report", "r.html")
    assert ran.status == 0, ran.err
    report, asked = ran.data["report"], [json.loads(one.body)["model"] for one in server.requests]
    assert report["run"]["model"] == "small=3, large=1"
    assert {name: found["completed"] for name, found in report["by_model"].items()} == {
        name: asked.count(name) for name in ("large", "small")
    }
    assert sum(one["rates"]["requests_per_s"] for one in report["by_model"].values()) == pytest.approx(
        report["whole"]["rates"]["requests_per_s"]
    )
    assert 45 <= asked.count("small") <= 74
    rows = [line.split(",")[1] for line in Path("r.csv").read_text().splitlines()[1:]]
    assert sorted(rows) == sorted(asked)
    assert "By model" in Path("r.html").read_text()
    validate("bench", ran.out)


def test_people_see_every_model_of_a_mix(harpoon: Operator, server: FaultyServer) -> None:
    ran = harpoon("bench", "--endpoint", server.url, "-m", "small", "-m", "large", "--requests", "40")
    assert ran.status == 0, ran.err
    assert re.search(r"^model\tanswered\t", ran.out, re.MULTILINE)
    assert {"large", "small"} <= {line.split("\t")[0] for line in ran.out.splitlines()}


def test_parts_of_a_mix_are_put_together_model_by_model(harpoon: Operator, server: FaultyServer) -> None:
    def models(*more: str) -> dict[str, int]:
        ran = harpoon("bench", *more, "-o", "json")
        assert ran.status == 0, ran.err
        return {name: found["completed"] for name, found in ran.data["report"]["by_model"].items()}

    load = ("--endpoint", server.url, "-m", "a=2", "-m", "b", "--requests", "40")
    whole = models(*load)
    for number in range(2):
        models(*load, "--shard", f"{number}/2", "--out", f"part-{number}.json")
    assert models("merge", "part-0.json", "part-1.json") == whole


def test_one_lease_holds_every_model_of_a_mix(live: Operator) -> None:
    mine = "[models.mine]\nvram_mb = 300\ntflops = 2\nserved_name = 'org/mine'\n"
    live.configure(f"{live.config_file.read_text()}\n{mine}")
    ran = live("bench", "-m", "gemma-270m=3", "-m", "mine", "--requests", "12", "-o", "json")
    assert ran.status == 0, ran.err
    assert ran.data["report"]["by_model"].keys() == {"gemma-270m", "org/mine"}
    assert ran.data["report"]["run"]["gpu"] == "Card, 400 MB, 2 TFLOPS"
    assert live("leases", "-q").out == ""


def test_models_that_no_pool_holds_together_are_refused_before_the_lease(live: Operator) -> None:
    live.configure(
        "[models.here]\nvram_mb = 9\ntflops = 1\npools = ['pool']\n"
        "[models.there]\nvram_mb = 9\ntflops = 1\npools = ['other']\n"
    )
    ran = live("bench", "-m", "here", "-m", "there")
    assert (ran.status, "no pool may hold all of here, there" in ran.err) == (6, True), ran.err
    assert "there is no model" in live("bench", "-m", "here", "-m", "gone=2").err
    assert live("leases", "--all", "-q").out == ""
