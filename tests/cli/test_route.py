"""`route record` and `route calibrate`: outcomes stay here, and weights are used only if they are better."""

from __future__ import annotations

import json
import os
import random
import stat
from pathlib import Path

import pytest

from tests.cli.rig import Operator

EASY = ["garden", "marmalade", "wheelbarrow", "river", "thunderstorm", "window", "handkerchief", "candle"]
HARD = ["tensor", "manifold", "cohomology", "quaternion", "entropy", "lemma", "eigenvector", "topology"]
COMMON = ["house", "paper", "green", "table", "small", "large", "quiet", "story", "people", "market"]
HARDER = "paper table house topology quiet story green manifold people large"


def outcomes(path: Path, rows: int = 240, *, learnable: bool = True) -> Path:
    chance = random.Random(5)
    with path.open("w") as file:
        for place in range(rows):
            hard = chance.random() < 0.4
            words = chance.choices(COMMON, k=8) + chance.choices(HARD if hard else EASY, k=2)
            small = int(not hard) if learnable else chance.randrange(2)
            row = {"prompt": " ".join(words), "small": small, "large": 1, "group": f"q{place}"}
            file.write(json.dumps(row) + "\n")
    return path


def weights_of(operator: Operator) -> Path:
    return operator.home / ".local/state/harpoon/routing-weights.bin"


def test_weights_that_prove_better_are_used_from_then_on(harpoon: Operator) -> None:
    file = outcomes(harpoon.cwd / "mine.jsonl")
    before = harpoon("route-explain", HARDER, "-o", "json").data
    ran = harpoon("route", "calibrate", str(file), "-o", "json")
    assert ran.status == 0
    assert ran.data["report"]["refused"] is None
    assert [order["name"] for order in ran.data["report"]["orders"]] == [
        "fitted weights",
        "length of the prompt",
        "random order",
    ]
    assert ran.data["installed"] == str(weights_of(harpoon))
    assert stat.S_IMODE(weights_of(harpoon).stat().st_mode) == 0o600
    after = harpoon("route-explain", HARDER, "-o", "json").data
    assert not before["score"]["familiarity"]["familiar"]
    assert after["score"]["familiarity"]["familiar"]
    assert after["quality"]["weights"] == "fitted on mine.jsonl"
    assert "Your own weights" in after["quality"]["note"]
    listed = harpoon("route-explain", f"{HARDER}? A. one B. two C. three", "-o", "json").data
    assert listed["quality"]["weights"] != "fitted on mine.jsonl"
    assert after["small_is_right"] < 0.5


def test_a_person_reads_the_figures_beside_length_and_chance(harpoon: Operator) -> None:
    ran = harpoon("route", "calibrate", str(outcomes(harpoon.cwd / "mine.jsonl")))
    assert "240 about 240 questions" in ran.out
    assert "fitted weights\t" in ran.out
    assert "random order\t0.500 (0.500 to 0.500)\t50.0 (50.0 to 50.0)\t80.0 (80.0 to 80.0)" in ran.out
    assert "other\t240\t" in ran.out
    assert "\tbetter\n" in ran.out
    assert f"note: routing uses {weights_of(harpoon)} from now on for other; for other kinds" in ran.err


def test_weights_that_are_no_better_are_refused_and_those_in_use_stay(harpoon: Operator) -> None:
    harpoon("route", "calibrate", str(outcomes(harpoon.cwd / "mine.jsonl")))
    good = weights_of(harpoon).read_bytes()
    ran = harpoon(
        "route", "calibrate", str(outcomes(harpoon.cwd / "noise.jsonl", learnable=False)), "-o", "json"
    )
    assert ran.status == 8
    assert ran.json["errors"][0]["code"] == "weights_refused"
    assert ran.data["installed"] is None
    assert ran.data["report"]["refused"]
    assert weights_of(harpoon).read_bytes() == good


def test_a_dry_run_changes_nothing(harpoon: Operator) -> None:
    ran = harpoon("route", "calibrate", str(outcomes(harpoon.cwd / "mine.jsonl")), "--dry-run", "-o", "json")
    assert (ran.status, ran.data["installed"]) == (0, None)
    assert not weights_of(harpoon).exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"prompt": "p", "small": 0, "large": 1}\n', "1 outcomes are too few; 200 are needed"),
        ('{"prompt": "p"}\n', "line 1: lacks 'small'"),
        ("", "0 outcomes are too few"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"\x00\x01\x02\n", "line 1: "),
        (" " + "x" * 34_000_000, "line 1: it is longer than"),
        ('{"prompt": "p", "small": "0", "large": 1}\n', "small is '0', not a number from 0 to 1"),
        ('{"prompt": "p", "small": NaN, "large": 1}\n', "small is 'nan', not a number from 0 to 1"),
        ('{"prompt": ["p"], "small": 0, "large": 1}\n', "prompt is not a string"),
        ('{"prompt": "p q", "small": 1, "large": 1}\n' * 240, "the large model gains nothing"),
        ("[" * 100_000, "line 1: "),
        ('{"prompt": "p", "small": 0, "large": 1}\n' * 3, "3 outcomes are too few; 200 are needed"),
    ],
)
def test_outcomes_that_cannot_be_used_are_told_with_the_way_out(
    harpoon: Operator, content: str | bytes, told: str
) -> None:
    file = harpoon.cwd / "bad.jsonl"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    ran = harpoon("route", "calibrate", str(file))
    assert ran.status == 2
    assert told in ran.err
    assert "hint: " in ran.err


def test_a_question_asked_again_and_again_teaches_nothing_and_is_refused(harpoon: Operator) -> None:
    file = harpoon.cwd / "same.jsonl"
    file.write_text('{"prompt": "red green", "small": 0, "large": 1}\n' * 240)
    ran = harpoon("route", "calibrate", str(file))
    assert ran.status == 8
    assert "the weights are not used" in ran.err


def test_what_is_no_file_of_outcomes_is_not_read(harpoon: Operator) -> None:
    for path in ("/dev/zero", str(harpoon.cwd)):
        ran = harpoon("route", "calibrate", path)
        assert ran.status == 2
        assert "hint: " in ran.err


def test_a_file_that_is_not_there_names_the_command_that_makes_one(harpoon: Operator) -> None:
    ran = harpoon("route", "calibrate")
    assert ran.status == 2
    assert "outcomes.jsonl cannot be read: No such file or directory" in ran.err
    assert "harpoon route record" in ran.err


def test_spoilt_weights_are_an_error_and_not_a_guess(harpoon: Operator) -> None:
    weights_of(harpoon).parent.mkdir(parents=True)
    weights_of(harpoon).write_bytes(b"not weights")
    ran = harpoon("route-explain", "Hello")
    assert ran.status == 3
    assert "routing-weights.bin cannot be used" in ran.err


def test_what_is_recorded_is_what_calibrate_reads(harpoon: Operator) -> None:
    thumbs = harpoon(
        "route", "record", "Is it?", "--small", "down", "--large", "up", "--group", "g", "-o", "json"
    )
    answers = ["--small-answer", "5", "--large-answer", "4"]
    harpoon("route", "record", "2 + 2?", *answers, "--expected", "4")
    harpoon("route", "record", "2 + 2?", *answers)
    path = Path(thumbs.data["path"])
    assert path == harpoon.home / ".local/state/harpoon/outcomes.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"prompt": "Is it?", "small": 0.0, "large": 1.0, "group": "g"},
        {"prompt": "2 + 2?", "small": 0.0, "large": 1.0},
        {"prompt": "2 + 2?", "small": 0.0, "large": 1.0},
    ]
    assert "3 outcomes are too few" in harpoon("route", "calibrate").err


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--small", "up"],
        ["--small-answer", "4"],
        ["--small", "up", "--large", "up", "--expected", "4"],
        ["--small", "up", "--small-answer", "4", "--large-answer", "4"],
    ],
)
def test_half_a_judgement_is_not_recorded(harpoon: Operator, given: list[str]) -> None:
    ran = harpoon("route", "record", "Is it?", *given)
    assert ran.status == 2
    assert "give either both thumbs or both answers" in ran.err


def test_an_empty_answer_of_the_large_model_is_not_taken_to_be_right(harpoon: Operator) -> None:
    ran = harpoon("route", "record", "Is it?", "--small-answer", "", "--large-answer", " ")
    assert ran.status == 2
    assert "the large model's answer is empty" in ran.err


def test_what_keeps_no_rows_is_not_recorded_into(harpoon: Operator, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ran = harpoon("route", "record", "b", "--small", "up", "--large", "up", "--to", str(pipe))
    assert ran.status == 2
    assert "is not a file" in ran.err


@pytest.mark.parametrize("row", ["[" * 100_000, '{"prompt": "x", "small": ' + "9" * 5000 + "}"])
def test_a_row_that_no_program_wrote_is_told_in_our_words(
    harpoon: Operator, tmp_path: Path, row: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(row)
    ran = harpoon("route", "calibrate", str(path))
    assert ran.status == 2
    assert "line 1: it is nested too deep, or a number in it is too long" in ran.err


def test_a_row_is_added_below_one_that_was_not_ended(harpoon: Operator, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "small": 0, "large": 1}')
    assert harpoon("route", "record", "b", "--small", "up", "--large", "up", "--to", str(path)).status == 0
    assert [json.loads(line)["prompt"] for line in path.read_text().splitlines()] == ["a", "b"]
