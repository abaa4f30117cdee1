"""The cascade: the small model's answer stands or falls by a check; both leases are given back and told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from harpoon_cli.cli.answering import Answered, Terms
from harpoon_cli.cli.asking import Question
from harpoon_cli.cli.cascade import what_is_left
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Completion, CompletionRequest, Delta, Money, Origin, Receipt, Usage
from harpoon_cli.errors import CostCeilingReached
from tests.bench.engine.range import served as loopback
from tests.cli.conftest import WallClock
from tests.cli.crowded import FULL, Crowded, Said
from tests.cli.rig import Operator
from tests.cli.test_failover import DEARER, MODELS, large_is_refused, states
from tests.sandbox.harness import KEY, POOL, application, served
from tests.servers import always, answer

PROMPT = "What is the capital of France?"
LARGE = "It is Paris, on the Seine."


@dataclass
class Script:
    """A data plane that says one thing after another as the small model, the same always as the large one."""

    small: list[str]
    asked: list[CompletionRequest] = field(default_factory=list)
    engine: str = "scripted"
    model_name: str = "script"

    async def open(self) -> Script:
        return self

    async def close(self) -> None:
        return None

    async def complete(self, request: CompletionRequest) -> Completion:
        self.asked.append(request)
        text = self.small.pop(0) if request.model == "gemma-270m" else LARGE
        return Completion(text, "stop", request.model, Usage(5, 5, 10), self.engine)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        whole = await self.complete(request)
        yield Delta(whole.text)
        yield whole

    async def models(self) -> tuple[str, ...]:
        return ()


Meet = Callable[..., Script]


@pytest.fixture
def meet(harpoon: Operator, tmp_path: Path) -> Iterator[Meet]:
    """Stands a platform up whose models say what a script says."""
    with ExitStack() as stack:

        def make(*small: str, says: Callable[[int], Said | None] = lambda megabytes: None) -> Script:
            script = Script(list(small))
            platform = application(tmp_path / "platform", WallClock(), script)
            url = stack.enter_context(served(Crowded(platform, says)))
            harpoon.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": KEY}
            harpoon.configure(MODELS)
            return script

        yield make


def test_two_samples_that_agree_are_accepted_and_the_large_model_is_not_leased(
    harpoon: Operator, meet: Meet
) -> None:
    script = meet("It is Paris.", "Paris it is!")
    ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    assert ran.status == 0
    cascade = ran.data["cascade"]
    assert (ran.data["text"], ran.data["model"]) == ("It is Paris.", "gemma-270m")
    assert (cascade["answered_by"], cascade["accepted"], cascade["check"]) == (
        "gemma-270m",
        True,
        "agreement",
    )
    assert cascade["value"] >= 0.6
    assert cascade["large_lease_id"] is cascade["large_cost"] is cascade["small_text"] is None
    assert Decimal(cascade["small_cost"]["amount"]) > 0
    assert [one.temperature for one in script.asked] == [None, 0.7]
    assert states(harpoon) == ["released"]


def test_two_samples_that_do_not_agree_bring_the_large_model_and_both_costs_are_told(
    harpoon: Operator, meet: Meet
) -> None:
    meet("It is Lyon.", "Marseille.")
    ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    assert ran.status == 0
    cascade, receipt = ran.data["cascade"], ran.json["receipt"]
    assert (ran.data["text"], ran.data["model"]) == (LARGE, "qwen-30b")
    assert (cascade["answered_by"], cascade["accepted"]) == ("qwen-30b", False)
    assert cascade["small_text"] == "It is Lyon."
    assert receipt["lease_id"] == cascade["large_lease_id"]
    assert [one["lease_id"] for one in receipt["ended"]] == [cascade["small_lease_id"]]
    assert receipt["cost"] == cascade["large_cost"]
    costs = [Decimal(cascade[f"{name}_cost"]["amount"]) for name in ("small", "large")]
    assert Decimal(ran.data["cost"]["amount"]) == pytest.approx(sum(costs), rel=Decimal("1e-9"))
    assert receipt["ended"][0]["cost"] == cascade["small_cost"]
    assert receipt["ended"][0]["released"]
    assert states(harpoon) == ["released", "released"]
    assert harpoon("leases", "-q").out == ""
    assert any("gemma-270m's answer is not accepted" in note for note in ran.json["notes"])


def test_a_person_reads_which_model_answered_what_the_check_said_and_both_costs(
    harpoon: Operator, meet: Meet
) -> None:
    meet("Lyon.", "Marseille.")
    ran = harpoon("infer", PROMPT, "--cascade")
    assert ran.out == f"{LARGE}\n"
    for line in (
        "answered by:   qwen-30b",
        "not accepted",
        "small model:   gemma-270m: $",
        "large model:   qwen",
    ):
        assert line in ran.err
    assert "also ended:" in ran.err
    amounts = [
        float(line.partition("$")[2].split()[0])
        for line in ran.err.splitlines()
        if line.startswith(("small model:", "large model:", "per inference:"))
    ]
    assert sum(amounts[:2]) == pytest.approx(amounts[2], abs=2e-6)


def test_a_quiet_cascade_still_says_that_another_model_was_asked(harpoon: Operator, meet: Meet) -> None:
    meet("Lyon.", "Marseille.")
    ran = harpoon("infer", PROMPT, "--cascade", "-q")
    assert ran.out == f"{LARGE}\n"
    assert ran.err.startswith("warning: gemma-270m's answer is not accepted: ")
    assert ran.err.endswith("; qwen-30b is asked\n")


def test_where_only_one_model_passes_that_is_what_the_cascade_says(harpoon: Operator, meet: Meet) -> None:
    meet("Lyon.")
    harpoon.environ["HARPOON_ROUTING__DENY"] = "qwen-30b"
    ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    cascade = ran.data["cascade"]
    assert (ran.status, cascade["small"], cascade["answered_by"]) == (0, None, "gemma-270m")
    assert cascade["sentence"] == "gemma-270m is the only model that passes"
    assert ran.data["cost"] == cascade["large_cost"]


def test_without_the_option_nothing_is_checked(harpoon: Operator, meet: Meet) -> None:
    script = meet("Lyon.")
    ran = harpoon("infer", PROMPT, "-o", "json")
    assert (ran.data["cascade"], len(script.asked)) == (None, 1)


SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2},
        "rivers": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("check", "text", "accepted"),
    [
        ("json", '{"city": "Paris"}', True),
        ("json", '```json\n{"city": "Paris"}\n```', True),
        ("json", "Paris", False),
        ("schema", '{"city": "Paris", "rivers": ["Seine"]}', True),
        ("schema", '{"city": "Paris", "rivers": [5]}', False),
        ("schema", '{"town": "Paris"}', False),
        ("schema", '{"city": "P"}', False),
        ("pattern=[A-Z][a-z]+", "Paris", True),
        ("pattern=[A-Z][a-z]+", "It is Paris", False),
        ("logprob", "Paris", False),
    ],
)
def test_the_form_of_an_answer_can_decide(
    harpoon: Operator, meet: Meet, check: str, text: str, accepted: bool
) -> None:
    meet(text, "something else")
    (harpoon.cwd / "schema.json").write_text(json.dumps(SCHEMA))
    named = "schema=schema.json" if check == "schema" else check
    ran = harpoon("infer", PROMPT, "--cascade", "--check", named, "-o", "json")
    assert ran.status == 0
    assert ran.data["cascade"]["accepted"] is accepted
    assert ran.data["model"] == ("gemma-270m" if accepted else "qwen-30b")


@pytest.mark.parametrize("check", ["pattern=(a+)+b", "schema=schema.json"])
def test_a_check_that_would_never_end_is_broken_off_and_the_lease_is_given_back(
    harpoon: Operator, meet: Meet, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    monkeypatch.setattr("harpoon_cli.cli.checking.CHECK_S", 0.5)
    meet(json.dumps("a" * 64) if check.startswith("schema") else "a" * 64)
    (harpoon.cwd / "schema.json").write_text(json.dumps({"type": "string", "pattern": "^(a+)+b$"}))
    ran = harpoon("infer", PROMPT, "--cascade", "--check", check)
    assert ran.status == 2
    assert "has not come to an end after 0.5 s on the small model's answer" in ran.err
    assert states(harpoon) == ["released"]


def test_where_the_large_model_cannot_be_had_the_small_ones_answer_is_told_with_the_error(
    harpoon: Operator, meet: Meet
) -> None:
    meet("Lyon.", "Marseille.", says=large_is_refused)
    ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    assert ran.status == 6
    assert (ran.data["text"], ran.data["model"], ran.data["cascade"]["accepted"]) == (
        "Lyon.",
        "gemma-270m",
        False,
    )
    assert states(harpoon) == ["released", "refused"]
    assert [one["lease_id"] for one in ran.json["receipt"]["ended"]] == [
        ran.data["cascade"]["small_lease_id"]
    ]


def test_where_the_small_model_cannot_be_had_the_large_one_answers_alone(
    harpoon: Operator, meet: Meet
) -> None:
    script = meet(says=lambda megabytes: FULL if megabytes < 900 else None)
    harpoon.configure(MODELS.replace("vram_mb = 100", "vram_mb = 100\ntflops = 9.5"))
    ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    assert (ran.status, ran.data["model"]) == (0, "qwen-30b")
    cascade = ran.data["cascade"]
    assert (cascade["answered_by"], cascade["accepted"], cascade["value"]) == ("qwen-30b", None, None)
    assert cascade["sentence"].startswith("gemma-270m could not be had: ")
    assert cascade["small_lease_id"] is cascade["small_cost"] is None
    assert ran.data["cost"] == cascade["large_cost"] == ran.json["receipt"]["cost"]
    assert [one["model"] for one in ran.data["failovers"]] == ["gemma-270m"]
    assert len(script.asked) == 1


def test_a_small_model_whose_pool_is_full_answers_in_the_next_and_is_checked(
    harpoon: Operator, tmp_path: Path
) -> None:
    script = Script(["It is Paris.", "Paris it is!"])
    crowded = Crowded(application(tmp_path / "platform", WallClock(), script, (POOL, DEARER)), lambda _: None)
    crowded.full.add("pool")
    with served(crowded) as url:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": KEY}
        harpoon.configure(MODELS)
        # The score asks for the large model: the cascade's small one is asked first all the same.
        harpoon.environ["HARPOON_ROUTING__THRESHOLD"] = "0"
        ran = harpoon("infer", PROMPT, "--cascade", "-o", "json")
    assert (ran.status, ran.data["model"], ran.data["pool_id"]) == (0, "gemma-270m", "dearer")
    assert ran.data["cascade"]["accepted"] is True
    assert crowded.pools == ["pool", "dearer"]


def test_a_ceiling_holds_for_both_leases_together() -> None:
    terms = Terms(None, None, None, Decimal(1), keep=False)
    first = Answered(cast(Question, None))
    for spent, left in ((None, Decimal(1)), (Decimal("0.4"), Decimal("0.6"))):
        cost = None if spent is None else Money(spent, "USD", Origin.ESTIMATED)
        first.receipt = Receipt(steps=(), cost=cost)
        assert what_is_left(cast(Session, None), terms, first).max_cost == left
    first.receipt = Receipt(steps=(), cost=Money(Decimal(1), "USD", Origin.ESTIMATED))
    with pytest.raises(CostCeilingReached):
        what_is_left(cast(Session, None), terms, first)


def chat(text: str, logprobs: object) -> dict[str, object]:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop", "logprobs": logprobs}
    return {"model": "m", "choices": [choice]}


@pytest.mark.parametrize(
    ("logprobs", "accepted", "check"),
    [
        ({"content": [{"token": "P", "logprob": -0.1}, {"token": "s", "logprob": -0.3}]}, True, -0.2),
        ({"content": [{"token": "P", "logprob": -0.1}, {"token": "s", "logprob": -2.3}]}, False, -1.2),
        (None, True, 1.0),
        ({"content": [{"logprob": "sure"}]}, True, 1.0),
    ],
)
def test_an_endpoint_that_gives_log_probabilities_is_believed_by_them_and_needs_no_lease(
    harpoon: Operator, logprobs: object, accepted: bool, check: float
) -> None:
    with loopback(always(answer(200, chat("Paris.", logprobs)))) as server:
        harpoon.configure(
            '[platform]\ncontrol = "static"\ninference = "openai"\nauth = "none"\n'
            f'base_url = "{server.url}"\n'
        )
        line = ("--cascade", "--check", "logprob", "--no-stream", "-o", "json")
        ran = harpoon("infer", PROMPT, *line)
    assert ran.status == 0
    cascade = ran.data["cascade"]
    assert (cascade["accepted"], cascade["value"]) == (accepted, pytest.approx(check))
    assert cascade["small_cost"] is None
    assert server.requests[0].json["logprobs"] is True  # type: ignore[index]  # it is an object


@pytest.mark.parametrize(
    "line",
    [
        ("--check", "json"),
        ("--cascade", "--check", "vibes"),
        ("--cascade", "--check", "agreement=2"),
        ("--cascade", "--check", "logprob=1"),
        ("--cascade", "--check", "pattern=("),
        ("--cascade", "--check", "schema=nowhere.json"),
        ("--cascade", "--check", "schema=odd.json"),
        ("--cascade", "--model", "gemma-270m"),
        ("--cascade", "--keep"),
        ("--cascade", "--lease", "alloc-1"),
    ],
)
def test_what_does_not_go_with_a_cascade_is_refused(harpoon: Operator, line: tuple[str, ...]) -> None:
    (harpoon.cwd / "odd.json").write_text('{"oneOf": []}')
    ran = harpoon("infer", PROMPT, *line)
    assert ran.status == 2
    assert ran.err.count("error: ") == 1
