"""`route-explain` where no model passes, or the platform cannot be asked: the whole table all the same."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from harpoon_cli.routing.gates import discover
from tests.cli.rig import Operator
from tests.cli.test_route_explain import PROMPT, SCHEMA
from tests.sandbox.harness import KEY
from tests.servers import always, answer, served

NOWHERE = {"HOSTED_AI_BASE_URL": "http://127.0.0.1:1", "HOSTED_AI_API_KEY": KEY}
NO_ROOM = ("--what-if", "vram.free=0")


def test_where_no_model_passes_every_candidate_is_told_and_then_the_error(harpoon: Operator) -> None:
    ran = harpoon("route-explain", PROMPT, *NO_ROOM, "-o", "json")
    assert ran.status == 6
    jsonschema.validate(ran.json, json.loads(SCHEMA.read_text()))
    assert ran.json["errors"][0]["code"] == "nothing_fits"
    assert ran.data["model"] is None
    assert ran.data["reason"] == ran.json["errors"][0]["message"]
    assert ran.data["margin"] == ran.data["score"]["total"] - ran.data["threshold"]["total"]
    for candidate in ran.data["candidates"]:
        assert candidate["score"] == ran.data["score"]["total"]
        assert len(candidate["gates"]) == len(discover())
        assert {"vram", "capacity"} <= {
            one["gate"] for one in candidate["gates"] if one["verdict"] != "passed"
        }


def test_a_person_sees_the_same_tables_and_then_the_error(harpoon: Operator) -> None:
    ran = harpoon("route-explain", PROMPT, *NO_ROOM)
    assert ran.status == 6
    assert "model\tnone; by the score alone " in ran.out
    for part in ("gate\tgemma-270m", "threshold\tbase", "margin\tsum of the above", "free VRAM\tif the "):
        assert part in ran.out
    assert "error: no model can take this prompt" in ran.err


def test_what_would_let_a_model_run_is_found_and_seen(harpoon: Operator) -> None:
    found = harpoon("route-explain", PROMPT, *NO_ROOM, "-o", "json").data["counterfactuals"]
    axes = {one["axis"]: one for one in found}
    assert "MB or more" in axes["free VRAM"]["change"]
    size = axes["free VRAM"]["change"].split()[6]
    again = harpoon("route-explain", PROMPT, "--what-if", f"vram.free={int(size) / 1024}", "-o", "json")
    assert (again.status, again.data["model"]) == (0, axes["free VRAM"]["model"])


def test_a_record_without_a_model_is_decided_again_to_the_same_bytes(
    harpoon: Operator, tmp_path: Path
) -> None:
    record = tmp_path / "record.json"
    ran = harpoon("route-explain", PROMPT, *NO_ROOM, "-o", "json")
    record.write_text(ran.out)
    again = harpoon("route-explain", "--replay", str(record), "-o", "json")
    assert (again.status, again.out) == (6, ran.out)


def test_an_unreachable_platform_is_decided_about_without_its_pools_and_that_is_said(
    harpoon: Operator,
) -> None:
    harpoon.environ |= NOWHERE
    ran = harpoon("route-explain", PROMPT, "-o", "json")
    assert ran.status == 0
    assert ran.data["inputs"]["pools"] is None
    [note] = [note for note in ran.json["notes"] if "pools" in note]
    assert note.startswith("the pools are not known: cannot reach http://127.0.0.1:1")
    gates = {one["gate"]: one["sentence"] for one in ran.data["candidates"][0]["gates"]}
    assert gates["pools"].startswith("not known")
    assert "pools\tnot known: " in harpoon("route-explain", PROMPT).out


@pytest.mark.parametrize(
    "line",
    [("--max-cost", "1"), ("--pool", "gpu-pool-1"), ("--what-if", "vram.free=4")],
    ids=lambda line: line[0],
)
def test_what_only_pools_can_answer_is_not_decided_without_them(
    harpoon: Operator, line: tuple[str, ...]
) -> None:
    harpoon.environ |= NOWHERE
    ran = harpoon("route-explain", PROMPT, *line, "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (7, "unreachable")


def test_a_policy_about_regions_is_not_decided_without_pools(harpoon: Operator) -> None:
    harpoon.environ |= NOWHERE | {"HARPOON_ROUTING__REGIONS": "eu-west"}
    assert harpoon("route-explain", PROMPT).status == 7


def test_a_platform_that_refuses_the_key_is_an_error_all_the_same(harpoon: Operator) -> None:
    with served(always(answer(401))) as server:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": server.url, "HOSTED_AI_API_KEY": KEY}
        assert harpoon("route-explain", PROMPT).status == 4


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("inputs", "policy"), "inputs.policy"),
        (("inputs", "models", 0, "model"), "inputs.models[0].model"),
        (("inputs",), "inputs"),
    ],
)
def test_a_record_with_a_key_that_is_not_known_is_refused_by_name(
    harpoon: Operator, tmp_path: Path, path: tuple[str | int, ...], place: str
) -> None:
    document = harpoon("route-explain", PROMPT, "-o", "json").json
    inner = document["data"]
    for step in path:
        inner = inner[step]
    inner["mood"] = 1
    (tmp_path / "record.json").write_text(json.dumps(document))
    ran = harpoon("route-explain", "--replay", str(tmp_path / "record.json"))
    assert ran.status == 2
    assert f"the record cannot be replayed: {place} has 'mood', which is not known here" in ran.err


def test_a_record_that_says_more_than_the_decision_is_told(harpoon: Operator, tmp_path: Path) -> None:
    document = harpoon("route-explain", PROMPT, "-o", "json").json
    document["data"]["mood"] = "good"
    (tmp_path / "record.json").write_text(json.dumps(document))
    ran = harpoon("route-explain", "--replay", str(tmp_path / "record.json"), "-o", "json")
    assert ran.status == 8
    assert ran.json["errors"][0]["message"] == "the record says otherwise in mood"


def test_the_weights_tell_what_they_were_made_from(harpoon: Operator) -> None:
    told = dict(
        line.split("\t", 1) for line in harpoon("route-explain", PROMPT).out.splitlines() if "\t" in line
    )
    assert "ECE of P(small is right)" in told
    assert "Apache-2.0" in told["licence of the data"]
    assert len(told["training set, SHA-256"]) == 64
    assert told["made again by"].startswith("python benchmarks/routing_weights.py")
