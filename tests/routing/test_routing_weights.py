"""Weights: the shipped file says what it is, bad files are refused, and what is printed adds up."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.routing import Candidate, Decision, Policy, decide
from harpoon_cli.routing import weights_file as files
from harpoon_cli.routing.reading import read
from harpoon_cli.routing.score import score
from harpoon_cli.routing.weights import INTERCEPT, QUALITY
from harpoon_cli.routing.weights_file import dump, load, shipped
from harpoon_cli.routing.wording import OTHER_WORDING, WORDS_WEIGHED, number
from harpoon_cli.values import replace

FILE = Path(files.__file__).with_name("weights.bin").read_bytes()
HEADER = json.loads(FILE.partition(b"\n")[0])
CROWD = [
    Candidate(Model("small", 1024, 1.0, 10**9, "s")),
    Candidate(Model("large", 32_768, 40.0, 10**9, "l")),
]

TORT = (
    "A plaintiff sues for negligence after the court finds the defendant liable. Which defence is best? "
    "A. Assumption of risk B. Consent of the owner C. Statute of limitations D. Contributory negligence"
)
SUM = "Tom has 12 apples and gives half of them to each of his 3 friends. How many apples has each friend?"
QUESTIONS = [TORT, SUM, r"Find all real numbers $x$ such that $x^2 + \frac{1}{x} = 7$."]


def decided(text: str, policy: Policy | None = None) -> Decision:
    return decide(Prompt(text), CROWD, policy or Policy())


def written(header: dict[str, object], body: bytes = FILE.partition(b"\n")[2]) -> bytes:
    return json.dumps(header).encode() + b"\n" + body


def test_the_shipped_file_is_small_and_says_what_it_was_fitted_on_and_how_good_it_is() -> None:
    quality = shipped().quality
    assert len(FILE) <= 256 * 1024
    assert len(quality.training_sha256) == 64
    assert date.fromisoformat(quality.fitted)
    assert quality.rebuild == "python benchmarks/routing_weights.py DATA_FOLDER"
    assert "Apache-2.0" in quality.licence
    assert "MIT" in quality.licence
    assert dict(quality.figures)["APGR within a benchmark, mean of five"] > 0.575
    assert set(HEADER["kinds"]) == {"few options", "many options", "mathematics in TeX", "sums in words"}


def test_a_file_that_was_read_is_written_the_same() -> None:
    assert dump(load(FILE, "it")) == FILE


@pytest.mark.parametrize("text", QUESTIONS)
def test_what_is_printed_of_a_familiar_prompt_adds_up_to_the_score(text: str) -> None:
    decision = decided(text)
    found = decision.score
    assert found.familiarity.familiar
    assert found.intercept != INTERCEPT
    assert any(
        part.signal.startswith("wording: ") or part.signal == OTHER_WORDING for part in found.contributions
    )
    assert (
        abs(found.total - math.fsum([found.intercept, *(part.amount for part in found.contributions)]))
        <= 1e-9
    )
    assert all(abs(part.amount - part.weight * part.value) <= 1e-9 for part in found.contributions)
    assert 0 < (decision.small_is_right or 0) < 1
    assert decision.quality == shipped().quality


@given(
    st.lists(st.sampled_from([*TORT.split(), *SUM.split(), "A.", "B.", "C.", "été", "\ud800"]), max_size=80)
)
def test_any_words_at_all_add_up(words: list[str]) -> None:
    found = decided(" ".join(words)).score
    assert (
        abs(found.total - math.fsum([found.intercept, *(part.amount for part in found.contributions)]))
        <= 1e-9
    )


def test_words_are_told_by_the_group_they_belong_to() -> None:
    parts = {part.signal: str(part.sentence) for part in decided(TORT).score.contributions}
    assert "wording: law and politics" in parts
    assert "known words and pairs, most of all " in parts["wording: law and politics"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Write a poem about autumn.", "nothing was fitted on prompts of this kind"),
        (
            "Welches? A. Rechtsverdreher B. Krähwinkel C. Blumenkohl D. Kartoffelsuppe",
            "of its words occurred",
        ),
    ],
)
def test_of_an_unfamiliar_prompt_it_is_said_and_the_weights_set_by_hand_are_used(
    text: str, sentence: str
) -> None:
    decision = decided(text)
    assert not decision.score.familiarity.familiar
    assert sentence in decision.score.familiarity.sentence
    assert decision.score.intercept == INTERCEPT
    assert decision.small_is_right is None
    assert decision.quality is QUALITY
    assert decision.score.total == score(read(text), None).total


def test_a_signal_is_believed_no_further_than_it_was_seen_in_training() -> None:
    monstrous = f"{TORT} " + "liable and negligent, " * 900
    parts = {part.signal: part for part in decided(monstrous).score.contributions}
    assert parts["clauses"].value == shipped().kinds["few options"].ranges["clauses"][1]
    sentence = str(parts["clauses"].sentence)
    assert "1799 commas" in sentence or "the most in training" in sentence


def test_half_of_familiar_prompts_are_above_the_base_for_half() -> None:
    weights = shipped()
    for kind, fitted in weights.kinds.items():
        assert weights.base_for(0.5, kind) == pytest.approx(fitted.quantiles[50])
        assert weights.base_for(1.0, kind) == pytest.approx(fitted.quantiles[0])
        assert weights.base_for(0.0, kind) == pytest.approx(fitted.quantiles[-1])
    assert weights.base_for(0.5, None) == weights.hand_quantiles[50]
    shares = [weights.share_for(quality, None) for quality in (0.0, 0.5, 0.8, 1.0)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] <= 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}",
        b"[1]\n",
        b"\xff\xfe\n",
        FILE[:-1],
        FILE + b"x",
        FILE[:1000],
        written({**HEADER, "format": "another 9"}),
        written({**HEADER, "hand_quantiles": [1.0, 2.0]}),
        written({**HEADER, "hand_quantiles": sorted(HEADER["hand_quantiles"], reverse=True)}),
        written({**HEADER, "kinds": {"other": {**HEADER["kinds"]["sums in words"], "quantiles": [1.0]}}}),
        written({**HEADER, "won": ["much"] * 101}),
        written({**HEADER, "figures": {"APGR": float("nan")}}),
        written({**HEADER, "figures": {"APGR": 1e300}}),
        written({**HEADER, "kinds": {"few options": {}}}),
        written({**HEADER, "kinds": []}),
        written({**HEADER, "kinds": {"other": {**HEADER["kinds"]["sums in words"], "groups": [["x", -1]]}}}),
        written({**HEADER, "kinds": {"other": {**HEADER["kinds"]["sums in words"], "intercept": True}}}),
        written({key: value for key, value in HEADER.items() if key != "licence"}),
        b"[" * 100_000 + b"\n",
    ],
    ids=range(21),
)
def test_a_file_that_is_not_as_described_is_refused_with_a_way_out(content: bytes) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        load(content, "the file w")
    assert caught.value.message.startswith("the file w cannot be used: ")
    assert caught.value.hint is not None
    assert "harpoon route calibrate" in caught.value.hint


def test_no_more_words_are_weighed_than_are_said_to_be() -> None:
    said = number(tuple(f"w{place}" for place in range(10 * WORDS_WEIGHED)))
    assert len(said.words) == 2 * WORDS_WEIGHED
    assert (said.words[0], said.words[-1]) == ("w0", f"w{10 * WORDS_WEIGHED - 1}")


def test_a_place_is_written_as_the_word_or_the_pair_that_stands_there() -> None:
    said = number(("red", "wine", "red"))
    assert [said.written(place) for place in range(5)] == ["red", "wine", "red", "red wine", "wine red"]
    assert len(said.numbers) == 4


def test_weights_for_the_rest_serve_every_kind_that_has_none_of_its_own() -> None:
    sums = shipped().kinds["sums in words"]
    rest = replace(shipped(), kinds={"other": replace(sums, least_known=0.0)})
    assert rest.of("few options") is rest.of("other")
    assert score(read(TORT), rest).familiarity.familiar
    assert replace(rest, kinds={}).of("few options") is None
