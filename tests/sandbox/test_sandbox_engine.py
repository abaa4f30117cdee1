"""The local engine with a real model: started once, found again, ended in time, never replaced in silence."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harpoon_cli.domain import Completion, CompletionRequest, Prompt
from harpoon_cli.errors import HarpoonError
from harpoon_cli.sandbox.engine import LocalEngine, running, stop
from harpoon_cli.sandbox.engine_state import EngineFiles, EngineState
from harpoon_cli.sandbox.models import PulledModel, engine_installed
from harpoon_cli.values import replace

from .harness import REAL_MODEL, Caller, Clock, application, needs_model

pytestmark = [
    needs_model,
    pytest.mark.skipif(not engine_installed(), reason="the extra [local] (xllamacpp) is not installed"),
]

OPEN = """
import asyncio, sys
from pathlib import Path
from harpoon_cli.sandbox.engine import LocalEngine, running
from harpoon_cli.sandbox.models import PulledModel
state, path = Path(sys.argv[1]), Path(sys.argv[2])
async def main():
    engine = LocalEngine(state, PulledModel("Small", path, path.stat().st_size), idle_s=60.0)
    print("ready", flush=True)
    sys.stdin.readline()
    await engine.open()
    await engine.close()
asyncio.run(main())
print(running(state).pid)
"""


@pytest.fixture
def model() -> PulledModel:
    assert REAL_MODEL is not None
    return PulledModel("Small", REAL_MODEL, REAL_MODEL.stat().st_size)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    asyncio.run(stop(tmp_path / "state"))


@asynccontextmanager
async def opened(engine: LocalEngine) -> AsyncIterator[EngineState]:
    await engine.open()
    try:
        found = running(engine._files.directory)
        assert found is not None
        yield found
    finally:
        await engine.close()


def opened_once(engine: LocalEngine) -> EngineState:
    async def once() -> EngineState:
        async with opened(engine) as found:
            return found

    return asyncio.run(once())


def command_line(pid: int) -> str:
    """What every user of the machine can read of a process."""
    if Path("/proc").is_dir():
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
    asked = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def wait_for_its_end(state_dir: Path) -> None:
    """Return when no engine lives: the kernel gives its lock away the moment it ends."""
    with EngineFiles(state_dir).alive.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def test_the_model_answers_a_prompt_on_a_lease(state_dir: Path, model: PulledModel) -> None:
    sandbox = application(state_dir, Clock(), LocalEngine(state_dir, model))
    call = Caller(sandbox)
    question = {"allocation_id": call.lease(), "prompt": "Say hello.", "max_tokens": 8, "temperature": 0}

    async def both_ways() -> tuple[str, list[str]]:
        whole = await call.ask("POST", "/v1/inference", question)
        stream = await call.ask("POST", "/v1/inference", question | {"stream": True})
        too_long = await call.ask("POST", "/v1/inference", question | {"prompt": "word " * 20_000})
        await sandbox.close()
        assert (whole.json["engine"], whole.json["model_used"]) == ("llama.cpp", "Small")
        assert whole.json["usage"]["completion_tokens"] <= 8
        assert (too_long.status, too_long.json["code"]) == (422, "engine_refused")
        return whole.json["text"], stream.events

    text, events = asyncio.run(both_ways())
    *pieces, last, done = events
    assert text
    assert done == "[DONE]"
    assert "".join(json.loads(one)["choices"][0]["delta"]["content"] for one in pieces) == text
    assert (json.loads(last)["engine"], json.loads(last)["model_used"]) == ("llama.cpp", "Small")


def test_commands_at_once_start_one_engine_and_the_next_finds_it(state_dir: Path, model: PulledModel) -> None:
    def command() -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", OPEN, str(state_dir), str(model.path)]
        return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def pid_told_by(worker: subprocess.Popen[str]) -> int:
        return int(worker.communicate("go\n", timeout=60)[0].split()[-1])

    workers = [command() for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    pids = {pid_told_by(worker) for worker in workers} | {pid_told_by(command())}
    assert len(pids) == 1


def test_the_engine_outlives_ctrl_c_and_tells_its_key_to_nobody(state_dir: Path, model: PulledModel) -> None:
    found = opened_once(LocalEngine(state_dir, model))
    assert os.getsid(found.pid) == found.pid
    assert found.address.startswith("http://127.0.0.1:")
    assert found.key.reveal() not in command_line(found.pid)
    modes = {path.name: path.stat().st_mode & 0o777 for path in state_dir.iterdir()}
    assert modes == dict.fromkeys(["engine.json", "engine.lock", "engine.alive", "engine.log"], 0o600)


def test_an_engine_that_was_killed_is_started_anew(state_dir: Path, model: PulledModel) -> None:
    first = opened_once(LocalEngine(state_dir, model))
    os.kill(first.pid, signal.SIGKILL)
    wait_for_its_end(state_dir)
    assert opened_once(LocalEngine(state_dir, model)).pid != first.pid


def test_another_model_replaces_the_engine(state_dir: Path, model: PulledModel) -> None:
    first = opened_once(LocalEngine(state_dir, model))
    second = opened_once(LocalEngine(state_dir, replace(model, name="Other")))
    assert (first.model_name, second.model_name) == ("Small", "Other")
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid, 0)


def test_stop_ends_the_engine_and_says_whether_there_was_one(state_dir: Path, model: PulledModel) -> None:
    opened_once(LocalEngine(state_dir, model))
    assert asyncio.run(stop(state_dir))
    assert running(state_dir) is None
    assert not asyncio.run(stop(state_dir))


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_an_engine_whose_state_file_is_not_its_own_any_more_ends(
    state_dir: Path, model: PulledModel, change: str
) -> None:
    opened_once(LocalEngine(state_dir, model))
    state = EngineFiles(state_dir).state
    if change == "removed":
        state.unlink()
    else:
        copy = state.with_suffix(".copy")
        copy.write_bytes(state.read_bytes())
        copy.replace(state)
    wait_for_its_end(state_dir)


def test_an_engine_that_nobody_asks_ends_but_never_in_the_middle_of_an_answer(
    state_dir: Path, model: PulledModel
) -> None:
    async def long_answer() -> Completion:
        engine = LocalEngine(state_dir, model, idle_s=1.5)
        plane = await engine.open()
        question = CompletionRequest(Prompt("Count to one thousand."), "", 250, 0.0)
        *_, last = [part async for part in plane.stream(question)]
        await engine.close()
        assert isinstance(last, Completion)
        return last

    answer = asyncio.run(long_answer())
    assert answer.usage is not None
    assert answer.finish_reason == "stop" or answer.usage.completion_tokens == 250
    wait_for_its_end(state_dir)
    assert not EngineFiles(state_dir).state.exists()


def test_a_model_that_cannot_be_loaded_is_an_error_and_not_the_simulator(
    state_dir: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    engine = LocalEngine(state_dir, PulledModel("Broken", broken, 1004))
    with pytest.raises(HarpoonError, match="ended while starting: ") as error:
        asyncio.run(engine.open())
    assert "engine.log" in str(error.value.hint)
    call = Caller(application(state_dir, Clock(), engine))
    answer = call("POST", "/v1/inference", {"allocation_id": call.lease(), "prompt": "Why?"})
    assert (answer.status, answer.json["code"]) == (503, "engine_unavailable")
