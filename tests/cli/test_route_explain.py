"""`route-explain`: the explanation is the decision, to the last digit, whatever is assumed or asked of it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

import harpoon_cli
from harpoon_cli.cli.session import account_name
from harpoon_cli.domain import Secret
from tests.cli.rig import Operator
from tests.sandbox.harness import KEY

PROMPT = "Which of these is a tort? A. assault B. treason C. perjury D. arson"
SCHEMA = Path(harpoon_cli.__file__).parent / "schemas" / "route-explain.json"


def test_what_is_printed_adds_up_on_both_sides(harpoon: Operator) -> None:
    ran = harpoon("route-explain", PROMPT)
    rows = [line.split("\t") for line in ran.out.splitlines() if line.count("\t") == 4]
    amounts = [float(amount) for side, _, amount, *_ in rows if side in ("score", "threshold")]
    [margin] = [float(amount) for side, _, amount, *_ in rows if side == "margin"]
    assert sum(amounts) == pytest.approx(margin, abs=1e-9)
    told = next(line for line in ran.out.splitlines() if line.startswith("margin\t")).split()
    assert float(told[1]) == float(told[4]) - float(told[7]) == margin


def test_infer_explains_with_the_same_object(harpoon: Operator) -> None:
    explained = harpoon("route-explain", PROMPT, "-o", "json").data
    assert harpoon("infer", PROMPT, "--explain", "-o", "json").data["decision"] == explained


def test_a_record_is_decided_again_to_the_same_bytes(harpoon: Operator, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    line = ("route-explain", PROMPT, "--what-if", "vram.free=4", "--max-cost", "2", "-o", "json")
    record.write_text(harpoon(*line).out)
    harpoon.environ |= {"HOSTED_AI_BASE_URL": "http://127.0.0.1:1", "HOSTED_AI_API_KEY": "k-12345678"}
    ran = harpoon("route-explain", "--replay", str(record), "-o", "json")
    assert ran.status == 0
    assert ran.out == record.read_text()


def test_what_infer_recorded_is_decided_again_too(harpoon: Operator, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    ran = harpoon("infer", PROMPT, "--explain", "-o", "json")
    record.write_text(ran.out)
    again = harpoon("route-explain", "--replay", str(record), "-o", "json")
    assert (again.status, again.data) == (0, ran.data["decision"])


def test_a_record_that_was_changed_is_told(harpoon: Operator, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    document = harpoon("route-explain", PROMPT, "-o", "json").json
    document["data"]["margin"] += 0.5
    record.write_text(json.dumps(document))
    ran = harpoon("route-explain", "--replay", str(record), "-o", "json")
    assert ran.status == 8
    assert ran.json["errors"][0]["message"] == "the record says otherwise in margin"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"data": 5}', '{"data": {"inputs": {}}}', '{"data": {"inputs": null}}']
)
def test_what_is_no_record_is_refused(harpoon: Operator, tmp_path: Path, content: str) -> None:
    (tmp_path / "record.json").write_text(content)
    ran = harpoon("route-explain", "--replay", str(tmp_path / "record.json"))
    assert ran.status == 2
    assert "hint: " in ran.err


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("prompt", "text"), 5),
        (("policy", "base"), "0"),
        (("policy", "max_cost"), "ten"),
        (("models", 0, "model", "vram_mb"), 1.5),
        (("pools",), {}),
        (("held",), 1),
        (("policy", "base"), 10**400),
    ],
)
def test_a_record_with_a_value_that_does_not_fit_names_its_place(
    harpoon: Operator, tmp_path: Path, path: tuple[str | int, ...], value: object
) -> None:
    document = harpoon("route-explain", PROMPT, "-o", "json").json
    place = document["data"]["inputs"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (tmp_path / "record.json").write_text(json.dumps(document))
    ran = harpoon("route-explain", "--replay", str(tmp_path / "record.json"))
    assert ran.status == 2
    assert "the record cannot be replayed: inputs." in ran.err


def test_an_assertion_that_holds_is_status_0_and_one_that_does_not_is_8(harpoon: Operator) -> None:
    held = harpoon("route-explain", "Hello", "--assert", "model=gemma-270m", "--assert", "wanted=gemma-270m")
    assert held.status == 0
    missed = harpoon("route-explain", "Hello", "--assert", "model=qwen-30b", "-o", "json")
    assert missed.status == 8
    assert missed.json["errors"][0]["code"] == "not_as_expected"
    assert missed.data["model"] == "gemma-270m"
    misspelt = harpoon("route-explain", "Hello", "--assert", "model=qwen-30", "-o", "json")
    assert misspelt.json["errors"][0]["hint"] == "no model is called qwen-30: harpoon models"
    assert missed.json["errors"][0]["hint"] != misspelt.json["errors"][0]["hint"]
    unknown = harpoon("route-explain", "Hello", "--assert", "mode=qwen-30b")
    assert unknown.status == 2
    assert "model=NAME, wanted=NAME, pool=NAME" in unknown.err


@pytest.mark.parametrize("line", ["a\0b", '{"prompt": "a\\u0000b"}', '{"prompt": "\\ud800"}'])
def test_a_batch_refuses_the_prompts_that_infer_refuses(harpoon: Operator, tmp_path: Path, line: str) -> None:
    batch = tmp_path / "batch"
    batch.write_text(line)
    ran = harpoon("route-explain", "--batch", str(batch))
    assert ran.status == 2
    assert "line 1: the prompt " in ran.err


def test_an_unknown_assumption_names_the_keys(harpoon: Operator) -> None:
    ran = harpoon("route-explain", "Hello", "--what-if", "vram=4")
    assert ran.status == 2
    assert "hint: one of: vram.free, tflops.free, " in ran.err


def test_an_assumption_is_told_with_the_decision(harpoon: Operator) -> None:
    ran = harpoon("route-explain", "Hello", "--what-if", "vram.free=4")
    assert ran.out.startswith("assumed\tvram.free=4\n")


@pytest.mark.parametrize("name", ["prompts.txt", "prompts.jsonl"])
def test_a_batch_is_foretold_with_shares_and_cost(harpoon: Operator, tmp_path: Path, name: str) -> None:
    harpoon.configure(
        "[models.gemma-270m]\nusd_per_million_input = 0.1\nusd_per_million_output = 0.1\n"
        "[models.qwen-30b]\nusd_per_million_input = 1\nusd_per_million_output = 1\n"
    )
    prompts = ["Hello", "Complex reasoning task: prove step by step why, and justify each part", "Hi there"]
    lines = prompts if name.endswith("txt") else [json.dumps({"prompt": text}) for text in prompts]
    (tmp_path / name).write_text("\n".join(lines) + "\n\n")
    ran = harpoon("route-explain", "--batch", str(tmp_path / name), "-o", "json")
    assert ran.status == 0
    jsonschema.validate(ran.json, json.loads(SCHEMA.read_text()))
    shares = {part["model"]: (part["prompts"], round(part["share"], 3)) for part in ran.data["parts"]}
    assert shares == {"gemma-270m": (2, 0.667), "qwen-30b": (1, 0.333)}
    parts = {part["model"]: part for part in ran.data["parts"]}
    total = float(ran.data["tokens_cost"]["amount"])
    assert (
        float(parts["gemma-270m"]["if_all"]["amount"]) < total < float(parts["qwen-30b"]["if_all"]["amount"])
    )
    assert [row["line"] for row in ran.data["rows"]] == [1, 2, 3]
    assert "66.7%" in harpoon("route-explain", "--batch", str(tmp_path / name)).out


def test_a_batch_in_which_no_model_takes_a_prompt_says_which(harpoon: Operator, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("Hello\n" + "word " * 60_000 + "\n")
    ran = harpoon("route-explain", "--batch", str(tmp_path / "prompts.txt"), "-o", "json")
    assert ran.data["unanswered"] == 1
    assert "context" in ran.data["rows"][1]["trouble"]


@pytest.mark.parametrize("content", ["", '{"text": "p"}\n{"prompt": 1}', '{"prompt": 1}', '{"prompt"'])
def test_a_batch_that_cannot_be_read_is_a_usage_error(
    harpoon: Operator, tmp_path: Path, content: str
) -> None:
    (tmp_path / "prompts.jsonl").write_text(content)
    assert harpoon("route-explain", "--batch", str(tmp_path / "prompts.jsonl")).status == 2


@pytest.mark.parametrize(
    "line",
    [("--batch", "f", "Hello"), ("--replay", "f", "Hello"), ("--batch", "f", "--assert", "model=m"), ()],
)
def test_options_that_would_be_ignored_are_refused(harpoon: Operator, line: tuple[str, ...]) -> None:
    assert harpoon("route-explain", *line).status == 2


def test_without_a_prompt_the_hint_is_about_this_command(harpoon: Operator) -> None:
    for line in ((), ("",)):
        ran = harpoon("route-explain", *line)
        assert (ran.status, 'hint: harpoon route-explain "' in ran.err) == (2, True), ran.err


def test_the_decision_keeps_to_its_schema(harpoon: Operator) -> None:
    document = harpoon("route-explain", PROMPT, "--what-if", "latency.qwen-30b=4", "-o", "json").json
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def test_a_measured_latency_is_what_the_next_answer_is_held_against(live: Operator) -> None:
    live("pools")
    account = account_name(live.environ["HOSTED_AI_BASE_URL"], Secret(KEY))
    taken = {"gemma-270m": [4.0, 2.0, 9.0], "qwen-30b": ["4", -1, None]}
    (live.home / ".cache/harpoon/latencies.json").write_text(json.dumps({account: taken}))
    decision = live("route-explain", "Hello", "-o", "json").data
    latencies = {one["model"]: one["latency_s"] for one in decision["candidates"]}
    assert (latencies["gemma-270m"], latencies["qwen-30b"]) == (4.0, None)
    live.environ["HARPOON_HTTP__INFERENCE_S"] = "3"
    assert live("route-explain", "Hello", "-o", "json").data["model"] == "qwen-30b"


def test_where_times_and_costs_come_from_is_said_and_what_would_tell_those_that_lack(live: Operator) -> None:
    def lacking() -> list[str]:
        lines = live("route-explain", "Hello").out.splitlines()
        return [line.split("\t")[1] for line in lines if line.startswith("not known yet\t")]

    tokens = "tokens by usd_per_million_input and usd_per_million_output in [models.NAME]"
    latency = "latency, and with it the lease, by a first answer of the model on this platform"
    assert lacking() == [f"{tokens}; {latency}"]
    ran = live("route-explain", "Hello", "--what-if", "latency.qwen-30b=4", "--what-if", "price.hour=9")
    [row] = [line.split("\t") for line in ran.out.splitlines() if line.startswith("qwen-30b\tyes")]
    assert row[5:7] == ["$0.01 estimated", "4.00 s assumed"]
    account = account_name(live.environ["HOSTED_AI_BASE_URL"], Secret(KEY))
    names = live("models", "-q").out.split()
    taken = {account: {name: [2.0] for name in names}}
    (live.home / ".cache/harpoon/latencies.json").write_text(json.dumps(taken))
    assert "\t2.00 s measured\t" in live("route-explain", "Hello").out
    assert lacking() == [tokens]
    priced = [f"[models.{name}]\nusd_per_million_input = 1\nusd_per_million_output = 2\n" for name in names]
    live.configure("".join(priced))
    assert lacking() == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 5}', '{"sandbox": {"gemma-270m": 5}}'])
def test_spoilt_latencies_are_as_none(harpoon: Operator, content: str) -> None:
    harpoon("pools")
    (harpoon.home / ".cache/harpoon/latencies.json").write_text(content)
    assert harpoon("route-explain", "Hello").status == 0


@pytest.mark.parametrize("form", ["%s\n", '{"prompt": "%s"}\n'])
def test_a_prompt_of_a_batch_that_is_too_long_is_told_in_either_form(harpoon: Operator, form: str) -> None:
    (harpoon.cwd / "batch").write_text(form % ("word " * 2_000_000))
    ran = harpoon("route-explain", "--batch", "batch", "-o", "json")
    assert ran.status == 2
    assert "batch line 1: the prompt is longer than " in ran.json["errors"][0]["message"]


def test_a_row_of_a_batch_that_cannot_be_read_names_the_form_it_should_have(harpoon: Operator) -> None:
    for row in ('{"prompt": ', "[1]", '{"prompt": 5}'):
        (harpoon.cwd / "batch.jsonl").write_text(row)
        ran = harpoon("route-explain", "--batch", "batch.jsonl")
        assert (ran.status, 'hint: one a line, or {"prompt": ' in ran.err) == (2, True)


def test_unfamiliar_prompts_are_said_to_be(harpoon: Operator) -> None:
    assert "unfamiliar: policy default used" in harpoon("route-explain", "Bonjour tout le monde").out


@pytest.mark.parametrize(("name", "value"), [("latency_s", -1), ("latency_s", 10**18)])
def test_a_record_with_impossible_times_is_refused(
    harpoon: Operator, tmp_path: Path, name: str, value: int
) -> None:
    record = tmp_path / "record.json"
    document = harpoon("route-explain", PROMPT, "-o", "json").json
    document["data"]["inputs"]["models"][0][name] = value
    record.write_text(json.dumps(document))
    ran = harpoon("route-explain", "--replay", str(record))
    assert ran.status == 2
    assert "cannot be replayed" in ran.err
