"""The sandbox answers a prompt with the same Idempotency-Key once, however often and by whom it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harpoon_cli.client.embedded import Request, Response
from harpoon_cli.client.service import DataPlane
from harpoon_cli.domain import Completion, CompletionRequest, Delta
from harpoon_cli.errors import BrokenOff
from harpoon_cli.sandbox import replays
from harpoon_cli.sandbox.application import SandboxApplication
from harpoon_cli.sandbox.replays import KEPT_ANSWERS, KEPT_S, Piece, Replays
from tests.cli.conftest import WallClock, harpoon
from tests.cli.rig import Operator
from tests.sandbox.harness import KEY, Caller, application, served

__all__ = ["harpoon"]


@dataclass
class Counting:
    """An answerer that says for how many runs it was asked; the first `fails` of them break off."""

    fails: int = 0
    runs: int = 0
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    engine: str = "llama.cpp"
    model_name: str = "Real"

    async def open(self) -> DataPlane:
        return self

    async def close(self) -> None:
        pass

    async def models(self) -> tuple[str, ...]:
        return ("Real",)

    async def complete(self, _request: CompletionRequest) -> Completion:
        raise AssertionError("the sandbox streams, always")

    async def stream(self, _request: CompletionRequest) -> AsyncGenerator[Delta | Completion, None]:
        self.runs += 1
        number = self.runs
        yield Delta(f"run {number}")
        if number <= self.fails:
            raise BrokenOff("it died")
        await asyncio.sleep(0)
        yield Completion(f"run {number}", "stop")


@pytest.fixture
def answerer() -> Counting:
    return Counting()


@pytest.fixture
def call(tmp_path: Path, answerer: Counting) -> Caller:
    return Caller(application(tmp_path, answerer=answerer))


@pytest.mark.parametrize("stream", [True, False])
def test_the_same_key_and_body_run_once(call: Caller, answerer: Counting, stream: bool) -> None:
    body = {"allocation_id": call.lease(), "prompt": "Why?", "stream": stream}
    first = call("POST", "/v1/inference", body, idempotency_key="k")
    again = call("POST", "/v1/inference", body, idempotency_key="k")
    assert (again.content, answerer.runs) == (first.content, 1)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    call("POST", "/v1/inference", body, idempotency_key="another")
    call("POST", "/v1/inference", body)
    call("POST", "/v1/inference", body)
    assert answerer.runs == 4


def test_a_kept_answer_outlives_its_lease(call: Caller) -> None:
    lease = call.lease()
    body = {"allocation_id": lease, "prompt": "Why?"}
    first = call("POST", "/v1/inference", body, idempotency_key="k")
    assert call("DELETE", f"/v1/allocate/{lease}").status == 200
    assert call("POST", "/v1/inference", body, idempotency_key="k").content == first.content
    assert call("POST", "/v1/inference", body, idempotency_key="new").status == 404


def test_the_same_key_with_another_body_is_refused(call: Caller) -> None:
    body = {"allocation_id": call.lease(), "prompt": "Why?"}
    call("POST", "/v1/inference", body, idempotency_key="k")
    other = call("POST", "/v1/inference", body | {"prompt": "How?"}, idempotency_key="k")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


def test_what_fails_is_not_kept(call: Caller, answerer: Counting) -> None:
    answerer.fails = 1
    body = {"allocation_id": call.lease(), "prompt": "Why?"}
    assert call("POST", "/v1/inference", body, idempotency_key="k").status == 503
    assert call("POST", "/v1/inference", body, idempotency_key="k").json["text"] == "run 2"


async def whole(pieces: AsyncIterator[Piece]) -> list[str]:
    return [piece.text async for piece in pieces]


async def saying(text: str, go: asyncio.Event | None = None) -> AsyncGenerator[Piece, None]:
    yield Delta(text)
    if go is not None:
        await go.wait()
    yield Completion(text, "stop")


def test_two_who_ask_at_once_follow_one_run_and_it_goes_on_when_they_leave() -> None:
    async def work() -> None:
        kept, go = Replays(), asyncio.Event()
        first, replayed = kept.answer("k", "d", lambda: saying("a", go))
        assert not replayed
        assert (await anext(first)).text == "a"
        await first.aclose()
        second, replayed = kept.answer("k", "d", lambda: saying("never"))
        third, _ = kept.answer("k", "d", lambda: saying("never"))
        assert replayed
        following = asyncio.gather(whole(second), whole(third))
        await asyncio.sleep(0)
        go.set()
        assert list(await following) == [["a", "a"], ["a", "a"]]

    asyncio.run(work())


def test_answers_are_kept_for_a_time_and_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        now = [0.0]
        kept = Replays(lambda: now[0])

        async def said(key: str, text: str) -> str:
            pieces, _ = kept.answer(key, "d", lambda: saying(text))
            return (await whole(pieces))[0]

        assert await said("k", "first") == "first"
        now[0] = KEPT_S - 1
        assert await said("k", "second") == "first"
        now[0] = KEPT_S + 1
        assert await said("k", "second") == "second"
        for number in range(KEPT_ANSWERS + 1):
            await said(f"other {number}", "x")
        assert await said("k", "third") == "third"
        monkeypatch.setattr(replays, "KEPT_CHARACTERS", 10)
        await said("long", "x" * 11)
        assert await said("k", "fourth") == "fourth"

    asyncio.run(work())


def test_an_end_in_the_middle_is_no_answer() -> None:
    async def work() -> None:
        kept = Replays()
        pieces, _ = kept.answer("k", "d", lambda: saying("a", asyncio.Event()))
        assert (await anext(pieces)).text == "a"
        await kept.close()
        with pytest.raises(BrokenOff):
            await anext(pieces)

    asyncio.run(work())


@dataclass
class Losing:
    """A platform whose first answers to a prompt break off on the way, after `pieces` of them."""

    inner: SandboxApplication
    pieces: int
    lost: int = 0

    async def handle(self, request: Request) -> Response:
        response = await self.inner.handle(request)
        if request.path != "/v1/inference" or self.lost == 2:
            return response
        self.lost += 1
        body = response.body
        if isinstance(body, bytes):
            return Response(response.status, self._broken(iter([body])), response.headers)
        return Response(response.status, self._cut(body), response.headers)

    async def close(self) -> None:
        await self.inner.close()

    async def _cut(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        told = 0
        async for piece in body:
            if told == self.pieces:
                raise ConnectionResetError
            told += 1
            yield piece

    async def _broken(self, body: object) -> AsyncIterator[bytes]:
        raise ConnectionResetError
        yield b""


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_an_answer_that_is_lost_on_the_way_is_had_again_without_another_run(
    harpoon: Operator, tmp_path: Path, answerer: Counting, stream: list[str]
) -> None:
    losing = Losing(application(tmp_path / "platform", WallClock(), answerer), pieces=1)
    with served(losing) as url:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": KEY}
        harpoon.environ["HARPOON_RETRY__BASE_S"] = "0.01"
        harpoon.configure("[models.gemma-270m]\nvram_mb = 100\n")
        ran = harpoon("infer", "Hi", *stream)
    assert (ran.status, ran.out) == (0, "run 1\n"), ran.err
    assert (losing.lost, answerer.runs) == (2, 1)
