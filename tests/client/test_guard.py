"""Calls held back while a host fails: what counts as failing, who goes all the same, what is said."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from harpoon_cli.client.health_file import HealthFile
from harpoon_cli.errors import BreakerOpen, Effect, PlatformError, ServerFault
from tests.client.machine import Machine, failing_first, is_open, met
from tests.servers import (
    EVENT_STREAM,
    Conversation,
    FaultyServer,
    Script,
    always,
    answer,
    chunk,
    once,
    run,
    silent_after,
    stream,
)


async def reset(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


FAILURES: dict[str, Script] = {
    "500": always(answer(500)),
    "502": always(answer(502, b"<html>Bad gateway</html>")),
    "503": always(answer(503, {"error": "overloaded"})),
    "408": always(answer(408)),
    "a reset": reset,
    "a connection that ends": once(b""),
    "a page in place of an answer": always(answer(200, b"<html>Please log in</html>")),
    "an answer with nothing in it": always(answer(200, b"")),
    "a body that is cut": once(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1}'),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_five_failures_in_a_row_open_it_and_the_sixth_call_is_not_sent(kind: str, tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing(4)
        assert not await is_open(machine)
        await machine.failing(1)
        assert await is_open(machine)
        with pytest.raises(BreakerOpen):
            await machine.get()
        assert len(server.requests) == 5

    met(FAILURES[kind], work, tmp_path)


def test_calls_that_hang_open_it(tmp_path: Path) -> None:
    async def work(machine: Machine, _: FaultyServer) -> None:
        await machine.failing(5, deadline_s=0.05)
        assert await is_open(machine)

    met(silent_after(b""), work, tmp_path)


def test_a_port_where_nobody_listens_opens_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        machine = Machine(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}")
    run(machine.failing(5))
    assert run(is_open(machine))


SIGNS_OF_LIFE: dict[str, Script] = {
    **{str(status): always(answer(status)) for status in (301, 400, 401, 403, 404, 409, 422, 429, 501)},
    "full": always(answer(503, {"code": "insufficient_capacity", "message": "no slice is free"})),
    "hosted.ai's full": always(answer(500, {"code": 10189007, "message": "insufficient resources"})),
    "a lack of permission": always(answer(500, {"code": 12370004, "message": "cannot read the policy"})),
    "what is not what was asked for": always(answer(200, ["a list"])),
    "an error inside a success": always(answer(200, {"error": "no"})),
}


@pytest.mark.parametrize("kind", SIGNS_OF_LIFE)
def test_what_a_working_server_says_never_opens_it(kind: str, tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing(7)
        assert not await is_open(machine)
        assert len(server.requests) == 7

    met(SIGNS_OF_LIFE[kind], work, tmp_path)


def test_what_was_never_tried_or_was_cut_short_by_us_says_nothing_about_the_host(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing(6, deadline_s=-1.0)
        for number in range(6):
            call = asyncio.create_task(machine.get())
            while len(server.requests) == number:
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})
        assert not await is_open(machine)

    met(silent_after(b""), work, tmp_path)


def test_the_error_names_the_host_the_plane_and_the_time(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing()
        machine.clock.now_s += 1.5
        with pytest.raises(BreakerOpen) as caught:
            await machine.get()
        error = caught.value
        assert error.message == (
            f"{server.url} failed too often in a row; nothing more is sent to its control plane until "
            "08:00:05 UTC"
        )
        assert (error.effect, error.exit, error.retry_after_s) == (Effect.NOT_SENT, 7, 3.5)
        told = machine.guard().told()[1]
        assert told == (
            f"open for {server.url}, control plane: 5 failures in a row, nothing is sent until 08:00:05 UTC"
        )
        machine.clock.now_s += 3.5
        assert machine.guard().told()[1].endswith("in a row, the next call is let through")

    met(always(answer(503)), work, tmp_path)


def test_a_plane_that_fails_leaves_the_other_one_alone(tmp_path: Path) -> None:
    async def work(machine: Machine, _: FaultyServer) -> None:
        await machine.failing()
        assert machine.guard("control").told()[0]
        assert not machine.guard("inference").told()[0]
        with pytest.raises(ServerFault):
            await machine.get("inference")

    met(always(answer(503)), work, tmp_path)


def test_planes_of_one_host_share_their_connections(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        async with machine.process() as control:
            inference = control.watched_by(machine.guard("inference"))
            await control.call("GET", "/", deadline_s=10)
            await inference.call("GET", "/", deadline_s=10)
        assert server.connections == 1

    met(always(answer(200, {})), work, tmp_path)


def test_when_the_host_is_well_again_one_probe_finds_out_and_then_everybody_goes(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing()
        machine.clock.now_s += 5.0
        for _ in range(4):
            assert await machine.get() == {}
        assert machine.clock.slept_s == [pytest.approx(1.1)]
        assert len(server.requests) == 9

    met(failing_first(5, answer(200, {})), work, tmp_path)


def test_whoever_has_no_time_to_spare_a_host_that_recovers_is_told_so(tmp_path: Path) -> None:
    async def work(machine: Machine, _: FaultyServer) -> None:
        await machine.failing()
        machine.clock.now_s += 5.0
        await machine.get()
        await machine.get()
        with pytest.raises(BreakerOpen):
            await machine.get(deadline_s=1.0)

    met(failing_first(5, answer(200, {})), work, tmp_path)


def test_twenty_commands_in_a_row_ask_a_dead_platform_five_times(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        errors = []
        for _ in range(20):
            with pytest.raises(PlatformError) as caught:
                await machine.get_repeatedly()
            errors.append(type(caught.value))
        assert errors == [ServerFault] * 2 + [BreakerOpen] * 18
        assert len(server.requests) == 5

    met(always(answer(503)), work, tmp_path)


def test_twenty_commands_in_a_row_that_are_told_to_wait_make_thirty_attempts(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        for _ in range(20):
            with suppress(PlatformError):
                await machine.get_repeatedly()
        assert 20 < len(server.requests) <= 30

    met(always(answer(429)), work, tmp_path)


def test_in_the_long_run_one_call_in_ten_is_repeated(tmp_path: Path) -> None:
    async def every_other(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            turns.append(1)
            await conversation.send(answer(503 if len(turns) % 2 else 200, {}))

    async def work(machine: Machine, server: FaultyServer) -> None:
        async with machine.process() as transport:
            for _ in range(120):
                with suppress(PlatformError):
                    await machine.repeated(transport)
        assert 120 * 1.1 < len(server.requests) <= 120 * 1.1 + 9

    turns: list[int] = []
    met(every_other, work, tmp_path)


def test_a_stream_that_breaks_off_is_a_failure_and_a_whole_one_a_sign_of_life(tmp_path: Path) -> None:
    whole = stream(b"data: 1\n\n")
    scripts = [*([EVENT_STREAM + chunk(b"data: 1\n\n")] * 4), whole, EVENT_STREAM + chunk(b"data: 1\n\n")]

    async def in_turn(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(scripts.pop(0))

    async def listen(machine: Machine) -> None:
        async with machine.process() as transport:
            with suppress(PlatformError):
                async with transport.events("/", body={}, deadline_s=10) as pieces:
                    _whole = [piece async for piece in pieces]

    async def work(machine: Machine, server: FaultyServer) -> None:
        found = []
        while len(server.requests) < 6:
            await listen(machine)
            found.append(HealthFile(tmp_path / "breakers.json").health(f"{server.url} control").failures)
        assert found == [1, 2, 3, 4, 0, 1]

    met(in_turn, work, tmp_path)


def test_a_state_that_cannot_be_written_changes_no_call(tmp_path: Path) -> None:
    (tmp_path / "breakers.json").mkdir()

    async def work(machine: Machine, server: FaultyServer) -> None:
        assert await machine.get() == {}
        async with machine.process() as transport:
            for _ in range(3):
                await transport.call("GET", "/", deadline_s=10)
        assert len(server.requests) == 4

    met(always(answer(200, {})), work, tmp_path)


def test_a_state_that_cannot_be_written_still_opens_for_this_process(tmp_path: Path) -> None:
    (tmp_path / "breakers.json").mkdir()

    async def work(machine: Machine, server: FaultyServer) -> None:
        async with machine.process() as transport:
            for _ in range(7):
                with pytest.raises(PlatformError) as caught:
                    await transport.call("GET", "/", deadline_s=10)
        assert type(caught.value) is BreakerOpen
        assert len(server.requests) == 5

    met(always(answer(503)), work, tmp_path)
