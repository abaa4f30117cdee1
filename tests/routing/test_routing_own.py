"""Weights of one's own: for the kinds of prompts they proved good at, and the shipped ones for all others."""

from __future__ import annotations

import pytest

from harpoon_cli.domain import Prompt
from harpoon_cli.routing import Decision, Policy, decide
from harpoon_cli.routing.calibrate import Report, calibrate
from harpoon_cli.routing.outcomes import Outcome
from harpoon_cli.routing.weights import Weights
from harpoon_cli.routing.weights_file import dump, load_own, shipped
from harpoon_cli.values import replace
from tests.routing.test_routing_fit import outcomes
from tests.routing.test_routing_weights import CROWD, SUM

OPTIONS = "A. one B. two C. three"
LISTED = f"paper green table tensor lemma story? {OPTIONS}"


def listed(rows: int, *, learnable: bool = True) -> list[Outcome]:
    """The same prompts, each with three options."""
    made = outcomes(rows, seed=7, learnable=learnable)
    return [replace(one, prompt=f"{one.prompt}? {OPTIONS}", group=f"l{one.group}") for one in made]


def summed(rows: int) -> list[Outcome]:
    """Sums in words whose outcomes nothing tells."""
    made = outcomes(rows, seed=8, learnable=False)
    return [replace(one, prompt=f"{one.prompt} has 12 of them", group=f"s{one.group}") for one in made]


@pytest.fixture(scope="module")
def fitted() -> tuple[Weights, Report]:
    return calibrate([*listed(300), *summed(220), *outcomes(40)], "mine")


@pytest.fixture(scope="module")
def own(fitted: tuple[Weights, Report]) -> Weights:
    return load_own(dump(fitted[0]), "it")


def decided(text: str, weights: Weights, policy: Policy | None = None) -> Decision:
    return decide(Prompt(text), CROWD, policy or Policy(), weights)


def test_each_kind_is_judged_by_its_own_rows_left_out(fitted: tuple[Weights, Report]) -> None:
    weights, report = fitted
    kinds = {one.kind: one for one in report.kinds}
    assert {name: one.rows for name, one in kinds.items()} == {"few options": 300, "sums in words": 220}
    assert kinds["few options"].refused is None
    ours, length, level = (order.ranking.apgr.value for order in kinds["few options"].orders)
    assert ours > max(length, level)
    assert kinds["sums in words"].refused is not None
    assert report.refused is None
    assert list(weights.kinds) == ["few options"]


def test_where_no_kind_proves_better_all_are_refused(fitted: tuple[Weights, Report]) -> None:
    _, report = calibrate([*listed(220, learnable=False), *summed(220)], "mine")
    assert report.refused is not None
    assert all(one.refused for one in report.kinds)
    for kind in ("few options", "sums in words"):
        assert f"{kind}: " in report.refused


def test_a_kind_that_proved_good_is_judged_by_the_own_weights_with_their_own_figures(own: Weights) -> None:
    quality = decided(LISTED, own).quality
    assert quality.weights == "mine"
    assert quality.note.startswith("Your own")
    names = [name for name, _ in quality.figures]
    assert names[0] == "APGR, few options (300 outcomes), fitted weights"
    assert not any("sums" in name for name in names)


def test_every_other_kind_keeps_the_shipped_weights_and_says_so(own: Weights) -> None:
    decision, plain = decided(SUM, own), decided(SUM, shipped())
    assert decision.score == plain.score
    assert decision.small_is_right == plain.small_is_right
    assert decision.quality == replace(plain.quality, note=decision.quality.note)
    assert decision.quality.note.startswith("Your own weights know nothing of sums in words: ")
    for policy in (Policy(share=0.3), Policy(quality=0.5)):
        assert decided(SUM, own, policy).threshold == decided(SUM, shipped(), policy).threshold


def test_own_weights_for_the_rest_do_not_stand_in_for_a_shipped_kind() -> None:
    weights = load_own(dump(calibrate(outcomes(300), "mine")[0]), "it")
    assert list(weights.kinds) == ["other"]
    assert weights.of("sums in words") is shipped().kinds["sums in words"]
    assert weights.of("other") is weights.kinds["other"]
    assert decided("paper green table tensor lemma story", weights).quality.weights == "mine"
