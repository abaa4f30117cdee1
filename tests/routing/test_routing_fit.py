"""Fitting: what can be learnt is, what cannot is refused, and nothing is judged by what it was fitted on."""

from __future__ import annotations

import random

import pytest

from harpoon_cli.routing.calibrate import calibrate
from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.fit import FEWEST_ROWS, fit
from harpoon_cli.routing.outcomes import Outcome
from harpoon_cli.routing.platt import platt
from harpoon_cli.routing.reading import read
from harpoon_cli.routing.ridge import Row, ridge
from harpoon_cli.routing.score import score
from harpoon_cli.routing.weights import probability_of
from harpoon_cli.routing.weights_file import dump, load
from harpoon_cli.values import replace

NAMELESS = Quality("of a test", "", "", ())
EASY = ["garden", "marmalade", "wheelbarrow", "river", "thunderstorm", "window", "handkerchief", "candle"]
"""As long as the hard ones, so that length does not tell them."""

HARD = ["tensor", "manifold", "cohomology", "quaternion", "entropy", "lemma", "eigenvector", "topology"]
COMMON = [
    "house",
    "paper",
    "green",
    "table",
    "small",
    "large",
    "quiet",
    "story",
    "number",
    "people",
    "market",
    "summer",
]


def outcomes(rows: int, *, seed: int = 0, learnable: bool = True) -> list[Outcome]:
    """Prompts of common words and one or two telling ones; hard words defeat the small model, mostly."""
    chance = random.Random(seed)
    made = []
    for place in range(rows):
        hard = chance.random() < 0.4
        words = chance.choices(COMMON, k=8) + chance.choices(HARD if hard else EASY, k=2)
        chance.shuffle(words)
        fails = (hard if learnable else chance.random() < 0.4) != (chance.random() < 0.1)
        made.append(Outcome(" ".join(words), float(not fails), 1.0, f"q{place}", "hard" if hard else "easy"))
    return made


def test_a_telling_word_is_learnt_and_moves_unseen_prompts() -> None:
    weights, report = calibrate(outcomes(400), "mine")
    ours, length, level = report.orders
    assert report.refused is None
    assert ours.ranking.apgr.value > 0.65
    assert ours.ranking.apgr.low > level.ranking.apgr.value == pytest.approx(0.5)
    assert ours.ranking.apgr.value > length.ranking.apgr.value
    assert ours.ranking.cpt50.value < 0.4
    assert report.calibration_error is not None
    assert report.calibration_error.value < 0.1
    hard, easy = (
        score(read(f"paper green table {words} story"), weights)
        for words in ("tensor lemma", "marmalade river")
    )
    assert hard.total > easy.total
    assert "wording: hard" in {part.signal for part in hard.contributions}


def test_labels_without_rhyme_or_reason_are_refused() -> None:
    _, report = calibrate(outcomes(400, learnable=False), "mine")
    assert report.refused is not None
    assert "random order" in report.refused


def test_what_a_group_shares_is_not_learnt_from_its_own_rows() -> None:
    """Each question stands in eight rows, with a word of its own: only a leak could know its outcome."""
    chance = random.Random(1)
    rows = []
    for question in range(60):
        small = float(chance.random() < 0.6)
        text = " ".join(
            [*chance.choices(COMMON, k=6), f"word{chr(97 + question % 26)}{chr(97 + question // 26)}"]
        )
        rows += [Outcome(f"{text} {chance.choice(COMMON)}", small, 1.0, f"q{question}") for _ in range(8)]
    together = calibrate(rows, "mine")[1].orders[0].ranking.apgr.value
    apart = calibrate([replace(row, group=str(at)) for at, row in enumerate(rows)], "mine")[1]
    assert apart.orders[0].ranking.apgr.value > 0.75
    assert together < 0.6


def test_the_same_outcomes_give_the_same_file() -> None:
    rows = outcomes(FEWEST_ROWS)
    first, second = (dump(calibrate(rows, "mine")[0]) for _ in range(2))
    assert first == second
    assert dump(load(first, "it")) == first
    assert load(first, "it").quality.training_sha256 == calibrate(rows, "mine")[0].quality.training_sha256


def test_too_few_outcomes_are_told_apart_from_bad_ones() -> None:
    with pytest.raises(ValueError, match=f"{FEWEST_ROWS} are needed"):
        calibrate(outcomes(FEWEST_ROWS - 1), "mine")
    with pytest.raises(ValueError, match="are needed"):
        fit([], NAMELESS)


def test_a_large_model_that_is_no_better_is_said_to_gain_nothing() -> None:
    rows = [replace(outcome, large=outcome.small) for outcome in outcomes(FEWEST_ROWS)]
    with pytest.raises(ValueError, match="gains nothing"):
        calibrate(rows, "mine")


def test_kinds_with_few_rows_are_fitted_together() -> None:
    chance = random.Random(3)
    listed = [
        replace(outcome, prompt=f"{outcome.prompt}? A. one B. two C. three")
        for outcome in outcomes(150, seed=4)
    ]
    rows = [*outcomes(150), *listed]
    chance.shuffle(rows)
    fitted = fit(rows, NAMELESS)
    assert list(fitted.weights.kinds) == ["other"]
    assert score(read(listed[0].prompt), fitted.weights).familiarity.familiar
    assert all(probability is not None for probability in fitted.small_is_right)


def test_ridge_is_the_least_of_errors_and_size_together() -> None:
    rows = [Row([0, 1], [1.0, 2.0]), Row([0], [1.0]), Row([1], [-1.0]), Row([0, 1], [3.0, 1.0])]
    targets = [1.0, 0.5, -0.25, 2.0]
    weights = ridge(rows, targets, 2, penalty=2.0)
    # Of (X'X + 2 I) w = X'y: 13 w0 + 5 w1 = 7.5 and 5 w0 + 8 w1 = 4.25, by hand.
    assert weights == pytest.approx([0.489, 0.2256], abs=2e-3)


def test_platt_finds_the_log_odds_that_made_the_shares() -> None:
    scores = [place / 10 for place in range(-400, 400)]
    offset, slope = platt(scores, [probability_of(0.5 + 0.05 * score) for score in scores])
    assert (offset, slope) == pytest.approx((0.5, 0.05), abs=0.01)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_platt_stays_finite_where_all_outcomes_are_the_same(share: float) -> None:
    offset, slope = platt([1.0, 1.0, 1.0], [share] * 3)
    assert 0 < probability_of(offset + slope) < 1
