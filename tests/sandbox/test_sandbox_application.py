"""The sandbox as HTTP, in this process: who may ask, what is refused and how, answers whole and in pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harpoon_cli.client.service import DataPlane
from harpoon_cli.domain import Completion, CompletionRequest, Delta, Usage
from harpoon_cli.errors import BrokenOff, HarpoonError, Refused
from harpoon_cli.sandbox.application import BODY_CAP_BYTES
from harpoon_cli.values import replace

from .harness import POOL, Caller, Clock, application


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call(tmp_path: Path, clock: Clock) -> Caller:
    return Caller(application(tmp_path, clock))


ORDER = {"pool_id": "pool", "requirements": {"vram_mb": 100, "tflops": 1}}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic a-key-for-tests"},
        {"authorization": "Bearer schl\u00fcssel"},
        {"authorization": "", "x_api_key": "wrong"},
    ],
)
def test_without_the_key_nothing_is_told(call: Caller, headers: dict[str, str]) -> None:
    answer = call("GET", "/v1/pools", query=None, **headers)
    assert (answer.status, answer.json["code"]) == (401, "not_authorised")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "bearer a-key-for-tests"}, {"authorization": "", "x_api_key": "a-key-for-tests"}],
)
def test_the_key_is_taken_from_either_header(call: Caller, headers: dict[str, str]) -> None:
    assert call("GET", "/v1/pools", query=None, **headers).status == 200


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
def test_health_and_contract_need_no_key(call: Caller, path: str) -> None:
    assert call("GET", path, authorization="").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/allocate/", "/v1/allocate/a/b", "//v1/pools", "/v1/pools\n"]
)
def test_an_unknown_path_is_404_in_json(call: Caller, path: str) -> None:
    answer = call("GET", path)
    assert (answer.status, answer.json["code"]) == (404, "no_such_path")


def test_a_method_that_a_path_does_not_have_is_405_and_names_those_it_has(call: Caller) -> None:
    answer = call("PUT", "/v1/allocate/x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, PATCH, DELETE")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b'{"pool_id": NaN}', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b"1" * 5000, 400, "malformed"),
        (b"x" * (BODY_CAP_BYTES + 1), 413, "body_too_large"),
        (b"[]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b'"\\ud800"', 422, "invalid_request"),
    ],
)
def test_garbage_is_refused_in_json(call: Caller, body: bytes, status: int, code: str) -> None:
    answer = call("POST", "/v1/allocate", body)
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_does_not_say_it_is_json_is_415(call: Caller, kind: str) -> None:
    assert call("POST", "/v1/allocate", ORDER, content_type=kind).status == 415


def test_a_body_may_name_its_charset(call: Caller) -> None:
    kind = "Application/JSON; charset=utf-8"
    assert call("POST", "/v1/allocate", ORDER, content_type=kind).status == 201


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"pool_id": ""}, "/pool_id"),
        ({"pool_id": 7}, "/pool_id"),
        ({"requirements": None}, "/requirements"),
        ({"requirements": {"vram_mb": 0, "tflops": 1}}, "/requirements/vram_mb"),
        ({"requirements": {"vram_mb": 1.5, "tflops": 1}}, "/requirements/vram_mb"),
        ({"requirements": {"vram_mb": True, "tflops": 1}}, "/requirements/vram_mb"),
        ({"requirements": {"vram_mb": 1}}, "/requirements/tflops"),
        ({"requirements": {"vram_mb": 1, "tflops": -1}}, "/requirements/tflops"),
        ({"requirements": {"vram_mb": 1, "tflops": 1e999}}, None),
        ({"requirements": {"vram_mb": 1, "tflops": 1, "vram": 1}}, "/requirements/vram"),
        ({"duration_seconds": 0}, "/duration_seconds"),
        ({"duration_seconds": 10**30}, "/duration_seconds"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"metadata": {"\ud800": "x"}}, "/metadata/\ud800"),
        ({"metadata": {str(n): "" for n in range(33)}}, "/metadata"),
        ({"overcommit": False}, "/overcommit"),
    ],
)
def test_a_request_that_breaks_the_contract_is_422_and_says_where(
    call: Caller, change: dict[str, object], at: str | None
) -> None:
    answer = call("POST", "/v1/allocate", ORDER | change)
    if at is None:
        # Python writes Infinity, which is no JSON.
        assert answer.status == 400
        return
    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
    assert [one["at"] for one in answer.json["details"]["violations"]] == [at]


def test_a_number_too_large_for_any_type_is_422(call: Caller) -> None:
    body = b'{"pool_id": "pool", "requirements": {"vram_mb": 1e400, "tflops": 1e400}}'
    assert call("POST", "/v1/allocate", body).status == 422


def test_names_that_were_made_up_are_quoted_only_in_part(call: Caller) -> None:
    body = ORDER | {f"{'x' * 10_000}{n}": 1 for n in range(50)}
    assert len(call("POST", "/v1/allocate", body).content) < 8000


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "ten"}, {"cursor": "next\n"}])
def test_a_broken_page_request_is_422(call: Caller, query: dict[str, str]) -> None:
    assert call("GET", "/v1/allocate", query=query).status == 422


def test_a_repeat_with_its_key_says_that_it_is_one(call: Caller) -> None:
    first = call("POST", "/v1/allocate", ORDER, idempotency_key="one")
    again = call("POST", "/v1/allocate", ORDER | {"metadata": {}}, idempotency_key="one")
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_requests_at_once_with_one_key_are_one_lease(call: Caller) -> None:
    async def both() -> set[str]:
        asked = (call.ask("POST", "/v1/allocate", ORDER, idempotency_key="one") for _ in range(8))
        return {answer.json["allocation_id"] for answer in await asyncio.gather(*asked)}

    assert len(asyncio.run(both())) == 1


def test_the_whole_life_of_a_lease(call: Caller) -> None:
    taken = call.lease(metadata={"reference": "r1"})
    assert call("GET", f"/v1/allocate/{taken}").json["metadata"] == {"reference": "r1"}
    assert call("PATCH", f"/v1/allocate/{taken}", {"duration_seconds": 5}).status == 200
    assert call("DELETE", f"/v1/allocate/{taken}").json["status"] == "released"
    assert call("DELETE", f"/v1/allocate/{taken}").status == 404
    assert call("GET", f"/v1/allocate/{taken}").json["code"] == "allocation_not_found"
    assert call("GET", "/v1/allocate").json == {"allocations": [], "next_cursor": None}


def test_an_answer_says_that_it_is_simulated(call: Caller) -> None:
    answer = call("POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?"})
    assert answer.status == 200
    assert answer.json["engine"] == "simulated"
    assert answer.json["model_used"] == "simulator"
    assert "no model produced it" in answer.json["text"]


def test_a_streamed_answer_is_the_whole_one_in_pieces(call: Caller) -> None:
    question = {"allocation_id": call.lease(), "prompt": "Why?", "max_tokens": 9}
    plain = call("POST", "/v1/inference", question).json
    stream = call("POST", "/v1/inference", question | {"stream": True})
    *pieces, last, done = stream.events
    assert stream.headers["content-type"] == "text/event-stream"
    assert done == "[DONE]"
    assert "".join(json.loads(one)["choices"][0]["delta"]["content"] for one in pieces) == plain["text"]
    ending = json.loads(last)
    assert ending["choices"][0]["finish_reason"] == ending["finish_reason"] == "length"
    assert {name: ending[name] for name in ("model_used", "engine", "usage")} == {
        name: plain[name] for name in ("model_used", "engine", "usage")
    }


def test_nothing_is_answered_before_the_slice_is_ready(tmp_path: Path, clock: Clock) -> None:
    call = Caller(application(tmp_path, clock, pools=(replace(POOL, allocation_delay_s=0.3),)))
    question = {"allocation_id": call.lease(), "prompt": "Why?"}
    early = call("POST", "/v1/inference", question)
    clock.forward(0.3)
    assert (early.status, early.json["code"], early.headers["retry-after"]) == (
        409,
        "allocation_not_ready",
        "1",
    )
    assert call("POST", "/v1/inference", question).status == 200


def test_answering_shows_in_the_pools_actual_use(tmp_path: Path, clock: Clock) -> None:
    call = Caller(application(tmp_path, clock, Scripted(clock, [Delta("a"), 30.0, WHOLE])))
    call("POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?"})
    assert call("GET", "/v1/pools").json["pools"][0]["actual_percent"] == 2.5


WHOLE = Completion("a", "stop", usage=Usage(1, 1, 2))


@dataclass
class Scripted:
    """An answerer that plays a script: parts of an answer, errors, and seconds that pass."""

    clock: Clock
    script: list[Delta | Completion | float | HarpoonError]
    engine: str = "llama.cpp"
    model_name: str = "Real"
    closed: bool = False

    async def open(self) -> DataPlane:
        return self

    async def close(self) -> None:
        self.closed = True

    async def models(self) -> tuple[str, ...]:
        return ("Real",)

    async def complete(self, _request: CompletionRequest) -> Completion:
        raise AssertionError("the sandbox streams, always")

    async def stream(self, _request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        for step in self.script:
            if isinstance(step, HarpoonError):
                raise step
            if isinstance(step, float):
                self.clock.forward(step)
            else:
                yield step


def test_a_lease_that_ends_in_the_middle_ends_the_answer(tmp_path: Path, clock: Clock) -> None:
    call = Caller(application(tmp_path, clock, Scripted(clock, [Delta("a"), 901.0, Delta("b"), WHOLE])))
    answer = call("POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?", "stream": True})
    first, trouble = answer.events
    assert json.loads(first)["choices"][0]["delta"] == {"content": "a"}
    assert json.loads(trouble)["code"] == "allocation_not_found"


def test_an_engine_that_fails_in_the_middle_ends_the_stream_without_its_mark(
    tmp_path: Path, clock: Clock
) -> None:
    call = Caller(application(tmp_path, clock, Scripted(clock, [Delta("a"), BrokenOff("it died")])))
    answer = call("POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?", "stream": True})
    assert answer.status == 200
    assert json.loads(answer.events[-1]) == {"error": "it died", "code": "engine_unavailable", "details": {}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (HarpoonError("it does not start", hint="harpoon sandbox status"), 503, "engine_unavailable"),
        (Refused("the prompt is too long", status=400), 422, "engine_refused"),
        (Refused("who are you", status=401), 503, "engine_unavailable"),
    ],
)
def test_an_engine_that_fails_before_its_first_word_has_a_status_of_its_own(
    tmp_path: Path, clock: Clock, trouble: HarpoonError, status: int, code: str, stream: bool
) -> None:
    call = Caller(application(tmp_path, clock, Scripted(clock, [trouble])))
    answer = call(
        "POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?", "stream": stream}
    )
    assert (answer.status, answer.json["code"]) == (status, code)


def test_an_answer_names_the_model_that_really_answered(tmp_path: Path, clock: Clock) -> None:
    call = Caller(application(tmp_path, clock, Scripted(clock, [WHOLE])))
    question = {"allocation_id": call.lease(), "model": "Qwen-32B", "prompt": "Why?"}
    answer = call("POST", "/v1/inference", question).json
    assert (answer["model_used"], answer["engine"]) == ("Real", "llama.cpp")


def test_a_state_that_cannot_be_used_is_500_in_json(tmp_path: Path) -> None:
    (tmp_path / "sandbox.db").write_bytes(b"no database" * 1000)
    answer = Caller(application(tmp_path))("GET", "/v1/pools")
    assert (answer.status, answer.json["code"]) == (500, "storage")
