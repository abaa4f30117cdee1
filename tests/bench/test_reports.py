"""What every report says, the same each time, and that nothing from outside gets out of its place."""

from __future__ import annotations

import json
from pathlib import Path
from time import tzset
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from harpoon_cli.bench.judging.compare import compare
from harpoon_cli.bench.judging.figures import figures
from harpoon_cli.bench.judging.report import SCHEMA, PhaseFigures, Report, read
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.reports import FORMATS, Source, save, text, wants_rows
from harpoon_cli.bench.reports.github import command
from harpoon_cli.bench.reports.markdown import escaped
from harpoon_cli.errors import StorageFault, UsageFault
from harpoon_cli.plain import plain
from harpoon_cli.render.schema import schema_for
from harpoon_cli.values import replace
from tests.bench.simulated import (
    failed,
    few,
    hostile_report,
    report,
    rows_of,
    run,
    sweep,
)

GOLDEN = Path(__file__).with_name("golden")

VLLM_KEYS = {
    *("date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts"),
    *("request_rate", "burstiness", "max_concurrency", "duration", "completed", "failed"),
    *("total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput"),
    *("output_throughput", "total_token_throughput", "max_output_tokens_per_s"),
    *("max_concurrent_requests", "rtfx"),
    *(f"{kind}_{name}_ms" for name in ("ttft", "tpot", "itl") for kind in ("mean", "median", "std", "p99")),
}
"""What vLLM 0.33 writes always; from its source."""

VLLM_DETAILS = {
    *("input_lens", "output_lens", "ttfts", "itls", "start_times", "generated_texts", "errors"),
    *("latencies", "queue_times"),
}


@pytest.fixture(scope="module")
def whole() -> Report:
    return replace(report(run(30, fails=0.01)), sweep=sweep())


@pytest.fixture(scope="module")
def hostile() -> Report:
    return hostile_report()


@pytest.mark.parametrize("name", ["github", "html", "json", "junit", "markdown", "vllm"])
def test_a_report_is_the_same_to_the_letter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    tzset()
    path = GOLDEN / f"report.{name}"
    assert text(name, Source(report(few()))) == path.read_text("utf-8")


def test_every_file_in_the_folder_is_a_format(whole: Report, tmp_path: Path) -> None:
    rows = rows_of(run(2), tmp_path / "rows.csv")
    assert FORMATS.names() == ("csv", "github", "html", "json", "junit", "markdown", "vllm")
    for name in FORMATS.names():
        assert text(name, Source(whole, (rows,))), name
        assert FORMATS.line(name), name
    assert [name for name in FORMATS.names() if wants_rows(name)] == ["csv", "vllm"]
    with pytest.raises(UsageFault, match="no report format 'pdf'"):
        text("pdf", Source(whole))


def test_a_report_is_written_whole_or_not_at_all(whole: Report, tmp_path: Path) -> None:
    save("json", Source(whole), tmp_path / "out.json")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    with pytest.raises(UsageFault):
        save("csv", Source(whole), tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    with pytest.raises(StorageFault, match="cannot be written"):
        save("json", Source(whole), tmp_path / "nowhere" / "out.json")


# JSON


def test_a_report_comes_back_from_its_file_as_it_was(whole: Report) -> None:
    assert read(text("json", Source(whole)), "it") == whole


def test_a_file_that_an_older_version_wrote_without_a_field_is_read(whole: Report) -> None:
    told = json.loads(text("json", Source(whole)))
    del told["by_model"]
    assert read(json.dumps(told), "it") == whole


def test_a_file_names_its_schema_and_has_no_number_that_is_none(whole: Report) -> None:
    told = text("json", Source(whole))
    assert json.loads(told, parse_constant=pytest.fail)["schema"] == SCHEMA == "harpoon.bench/1"
    assert told.isascii()


def test_a_schema_can_be_made_of_a_report_and_describes_it(whole: Report) -> None:
    schema = schema_for("bench", Report)
    described = {"$defs": schema["$defs"], "$ref": "#/$defs/Report"}
    told = json.loads(text("json", Source(whole)))
    Draft202012Validator(described).validate(told)
    as_a_command = plain(whole)
    assert isinstance(as_a_command, dict)
    assert [name for name in told if told[name] != as_a_command[name]] == ["cost"]  # here all digits are kept


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("run"),
        lambda told: told.update(more=1),
        lambda told: told.update(schema="harpoon.bench/99"),
        lambda told: told.update(checks="none"),
        lambda told: told["run"].update(seed="1"),
        lambda told: told["run"].update(seed=True),
        lambda told: told["run"].update(started_at="yesterday"),
        lambda told: told["run"].update(started_at="2026-11-22T09:30:00"),
        lambda told: told["verdict"].update(validity="FINE"),
        lambda told: told["cost"]["total"].update(amount="much"),
        lambda told: told["whole"]["rates"].update(requests_per_s=None),
        lambda told: told["recording"]["slices"][0].update(number=10**40),
    ],
)
def test_a_file_that_is_not_a_result_is_refused(change: object, whole: Report) -> None:
    told = json.loads(text("json", Source(whole)))
    change(told)  # type: ignore[operator]  # the parameters are functions
    with pytest.raises(UsageFault, match=r"it\.json") as fault:
        read(json.dumps(told), "it.json")
    assert fault.value.hint


@pytest.mark.parametrize("told", ["", "null", "[]", "{", "NaN", "[" * 100_000, '{"schema": NaN}', "\0"])
def test_what_is_not_json_is_refused(told: str) -> None:
    with pytest.raises(UsageFault, match=r"no result of a load test|is not JSON") as fault:
        read(told, "it.json")
    assert "harpoon bench ... --out FILE writes such a file" in (fault.value.hint or "")


# vLLM


def test_vllm_s_keys_are_all_there(whole: Report) -> None:
    told = json.loads(text("vllm", Source(whole)))
    assert set(told) >= VLLM_KEYS
    assert VLLM_DETAILS.isdisjoint(told)
    assert told["p99.9_ttft_ms"] > told["p99_ttft_ms"] > told["median_ttft_ms"]
    assert (told["request_rate"], told["burstiness"], told["max_concurrency"]) == (40.0, 1.0, None)


def test_vllm_s_rate_of_a_closed_loop_is_inf(whole: Report) -> None:
    closed = replace(whole, run=replace(whole.run, request_rate=None, max_concurrency=64))
    told = json.loads(text("vllm", Source(closed)))
    assert (told["request_rate"], told["max_concurrency"]) == ("inf", 64)


def test_vllm_s_arrays_are_in_the_order_of_the_plan_and_of_equal_length(tmp_path: Path) -> None:
    rows = rows_of(reversed(list(few())), tmp_path / "rows.csv")
    told = json.loads(text("vllm", Source(report(few()), (rows,), detailed=True)))
    assert set(told) >= VLLM_KEYS | VLLM_DETAILS
    assert {len(told[name]) for name in VLLM_DETAILS} == {4}
    assert told["ttfts"] == pytest.approx([0.05, 0.07, 0, 0.05])
    assert told["latencies"] == pytest.approx([0.07, 0.105, 0, 0.05])
    assert told["itls"] == [[0.01, 0.01], [0.012, 0.008, 0.015], [], []]
    assert told["start_times"] == [0, 1, 1.5, 2]
    assert told["errors"] == ["", "", "http_503", ""]
    assert told["output_lens"] == [3, 4, 0, 4]
    assert told["input_lens"] == [100, 100, 0, 100]
    assert told["max_concurrent_requests"] == 1


def test_vllm_s_file_without_details_keeps_latencies_only(tmp_path: Path) -> None:
    rows = rows_of(few(), tmp_path / "rows.csv")
    told = json.loads(text("vllm", Source(report(few()), (rows,))))
    assert set(told) & VLLM_DETAILS == {"latencies", "queue_times"}


def test_metadata_stands_beside_vllm_s_keys_and_cannot_change_figures(whole: Report) -> None:
    named = replace(whole, run=replace(whole.run, metadata={"team": "x", "backend": "y", "completed": "z"}))
    told = json.loads(text("vllm", Source(named)))
    assert (told["team"], told["backend"]) == ("x", "y")
    assert isinstance(told["completed"], int)


# Markdown, JUnit, GitHub


def test_no_text_from_outside_is_markdown(hostile: Report) -> None:
    told = text("markdown", Source(hostile))
    assert "<script>" not in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "@all" not in told
    tables = [line for line in told.splitlines() if line.startswith("| ")]
    hit = [line for line in tables if "alert" in line]
    # The kind of failure, and the model.
    assert [line.replace("\\|", "").count("|") for line in hit] == [10, 3]


def test_a_closed_loop_tells_no_latencies_from_an_intended_start(whole: Report) -> None:
    closed = replace(whole, run=replace(whole.run, open_loop=False))
    for name in ("markdown", "html"):
        told = text(name, Source(closed)).split("What each figure means")[0]
        assert "end-to-end latency" in told
        assert "from the intended start" not in told


def test_a_sweep_says_what_it_found_and_phases_have_their_figures(whole: Report) -> None:
    phased = replace(whole, phases=(PhaseFigures("peak", whole.whole),))
    for name in ("markdown", "html"):
        told = text(name, Source(phased))
        assert told.count("40 requests/s due") == 2  # the knee, and the largest within the SLO
        assert "peak" in told


def test_a_comparison_with_the_baseline_is_in_every_report(whole: Report) -> None:
    slower = report(run(30, slower=1.5), slo="")
    found = compare(report(run(30), slo=""), slower, names=("old.json", "this run"))
    assert found.regressed
    source = Source(slower, comparison=found)
    name = found.regressed[0]
    assert f"| {escaped(name)}, ms |" in text("markdown", source)
    assert "Against the baseline" in text("html", source)
    assert f"::error title=harpoon bench%3A {name} regressed::against old.json" in text("github", source)
    assert "every threshold kept" not in text("github", source)
    suite = ElementTree.fromstring(text("junit", source))[0]
    failures = {case.get("name") for case in suite if case.find("failure") is not None}
    assert f"no worse {name}" in failures
    assert suite.get("failures") == str(len(failures))


@given(st.text())
def test_escaped_text_stays_on_its_line_and_in_its_cell(content: str) -> None:
    shown = escaped(content)
    assert len(shown.splitlines()) <= 1
    assert "|" not in shown.replace("\\|", "")
    assert "<" not in shown


def test_junit_has_a_case_for_everything_that_can_go_wrong(whole: Report) -> None:
    missed = replace(whole, verdict=replace(whole.verdict, reasons=("late",)))
    suite = ElementTree.fromstring(text("junit", Source(missed)).encode()).find("testsuite")
    assert suite is not None
    names = [case.get("name") for case in suite]
    assert names == [
        "the figures can be believed",
        "requests are answered",
        "ttft_p99",
        "itl_p99",
        "e2e_p99",
        "goodput",
    ]
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "1"


def test_junit_of_hostile_text_is_well_formed(hostile: Report) -> None:
    suite = ElementTree.fromstring(text("junit", Source(hostile)).encode())
    assert "<script>" in suite[0].get("name", "")


def test_github_is_told_of_each_thing_that_is_wrong() -> None:
    lines = text("github", Source(report(few(), slo="ttft_p50=1ms,goodput=10%"))).splitlines()
    assert [line.split("::")[1] for line in lines] == [
        "error title=harpoon bench%3A errors",
        "error title=harpoon bench%3A ttft_p50",
        "error title=harpoon bench%3A goodput",
        "warning title=harpoon bench",
        "warning title=harpoon bench",
        "warning title=harpoon bench",
    ]


def test_github_is_told_when_all_is_in_order() -> None:
    (line,) = text("github", Source(report())).splitlines()
    assert line.startswith("::notice title=harpoon bench::qwen: ")


@given(st.text(), st.text())
def test_no_text_ends_a_command_of_github_or_begins_another(title: str, message: str) -> None:
    told = command("error", title, message)
    assert told.count("\n") == len(told.splitlines()) == 1
    properties = told.removeprefix("::error title=").split("::")[0]
    assert ":" not in properties
    assert "," not in properties


def test_a_run_without_an_answer_has_every_report() -> None:
    nothing = report([failed()], slo="ttft_p99=1s")
    for name in FORMATS.names():
        if name != "csv":
            assert text(name, Source(nothing)), name
    assert figures(Recorder()).completed == 0
