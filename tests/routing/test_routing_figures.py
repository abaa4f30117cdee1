"""The figures claimed of the shipped weights, on rows they were not fitted on, where these are at hand."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.routing import Candidate, Decision, Policy, decide
from harpoon_cli.routing.measures import calibration_error, rank

FOLDER = os.environ.get("HARPOON_ROUTING_DATA")
BENCHES = ("mmlu", "gsm8k", "gsm8k_gq", "math_l5", "mmlu_pro")
PAIR = [Candidate(Model("small", 1024, 1.0, 10**9, "s")), Candidate(Model("large", 32_768, 40.0, 10**9, "l"))]

pytestmark = pytest.mark.skipif(FOLDER is None, reason="HARPOON_ROUTING_DATA names no folder of outcomes")


@cache
def decided() -> Sequence[tuple[dict[str, str | float], Decision]]:
    with gzip.open(Path(FOLDER or "") / "devtest.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(row, decide(Prompt(row["prompt"]), PAIR, Policy())) for row in rows]


def figures(bench: str) -> tuple[float, float, float]:
    part = [(row, decision.score.total) for row, decision in decided() if row["bench"] == bench]
    gains = [float(row["strong"]) - float(row["weak"]) for row, _ in part]
    ranking = rank([total for _, total in part], gains)
    return ranking.apgr.value, ranking.cpt50.value, ranking.cpt80.value


def test_over_five_benchmarks_the_mean_apgr_is_what_is_claimed() -> None:
    assert fmean(figures(bench)[0] for bench in BENCHES) >= 0.575


def test_on_mmlu_half_and_most_of_the_gain_is_won_with_few_calls() -> None:
    apgr, cpt50, cpt80 = figures("mmlu")
    assert apgr >= 0.635
    assert cpt50 <= 0.33
    assert cpt80 <= 0.67


def test_the_probability_that_the_small_model_is_right_comes_true() -> None:
    told = [
        (decision.small_is_right, float(row["weak"]))
        for row, decision in decided()
        if decision.small_is_right is not None
    ]
    assert len(told) >= 0.95 * len(decided())
    assert calibration_error([one[0] for one in told], [one[1] for one in told]).value <= 0.05


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_share_that_is_asked_for_is_met_within_three_points(share: float) -> None:
    prompts = [Prompt(str(row["prompt"])) for row, _ in decided()]
    given = fmean(decide(prompt, PAIR, Policy(share=share)).model == "large" for prompt in prompts)
    assert abs(given - share) <= 0.03


def test_mathematics_is_not_sent_to_the_small_model_to_win_elsewhere() -> None:
    policy = Policy(share=0.5)
    hard = [Prompt(str(row["prompt"])) for row, _ in decided() if row["bench"] == "math_l5"]
    assert fmean(decide(prompt, PAIR, policy).model == "large" for prompt in hard) >= 0.5
