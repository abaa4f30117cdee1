"""Finds or starts the local engine, and ends it: llama.cpp's server in a child process of its own.

The child is in a session of its own, so that Ctrl-C in one terminal does not end it in the middle of another
command's answer, and outlives the command that started it; see `engine_state` for how the next one finds it.
Nothing here answers in the engine's place when it fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic

from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import DataPlane
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.errors import HarpoonError, PlatformError, StorageFault
from harpoon_cli.sandbox.engine_state import IDLE_S, EngineFiles, EngineOrder, EngineState, read_state
from harpoon_cli.sandbox.keys import environment_for_children
from harpoon_cli.sandbox.locks import is_locked, try_lock
from harpoon_cli.sandbox.models import PulledModel
from harpoon_cli.values import asdict

START_S = 300.0
"""A large model is read from disk; the small one is there in a second."""

ANSWER_S = 600.0
END_S = 5.0
HEALTH_S = 5.0
LOOK_S = 0.02
_CHILD = "harpoon_cli.sandbox.engine_process"


class LocalEngine:
    """An `answerer.Answerer`: answers by `model` on this machine.

    An engine that this one starts stays for idle_s seconds without being asked, and uses `threads` threads:
    None is all cores but one.
    """

    engine = "llama.cpp"

    def __init__(
        self, state_dir: Path, model: PulledModel, *, idle_s: float = IDLE_S, threads: int | None = None
    ) -> None:
        self._files = EngineFiles(state_dir)
        self._model = model
        self._idle_s = idle_s
        self._threads = threads or _threads()
        self._transport: Transport | None = None
        self._used: EngineState | None = None

    @property
    def model_name(self) -> str:
        return self._model.name

    async def open(self) -> DataPlane:
        """The running engine of this model; started where there is none, or another model's is running."""
        async with _turn(self._files):
            state = read_state(self._files)
            if state is not None and self._is_ours(state):
                known = state == self._used
                transport = await self._connected(state)
                if known or await _answers(transport):
                    os.utime(self._files.state)
                    return _plane(transport)
            await _end(self._files)
            return _plane(await self._connected(await self._start()))

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = self._used = None

    def _is_ours(self, state: EngineState) -> bool:
        wanted = (str(self._model.path), self._model.name, self._model.size_bytes)
        return (state.model_path, state.model_name, state.model_bytes) == wanted

    async def _connected(self, state: EngineState) -> Transport:
        if self._transport is None or self._used != state:
            await self.close()
            self._transport = Transport(Endpoint(f"{state.address}/v1", state.key))
            self._used = state
        return self._transport

    async def _start(self) -> EngineState:
        order = EngineOrder(
            directory=str(self._files.directory),
            model_path=str(self._model.path),
            model_name=self._model.name,
            model_bytes=self._model.size_bytes,
            key=token_urlsafe(24),
            threads=self._threads,
            idle_s=self._idle_s,
        )
        child = _spawn(self._files, order)
        try:
            return await _started(child, self._files)
        except BaseException:
            child.kill()
            child.wait()
            raise


async def stop(state_dir: Path) -> bool:
    """End the engine of this state directory; whether there was one."""
    files = EngineFiles(state_dir)
    if not files.directory.is_dir() or not is_locked(files.alive):
        return False
    async with _turn(files):
        await _end(files)
    return True


def running(state_dir: Path) -> EngineState | None:
    """The engine that runs now, if any."""
    return read_state(EngineFiles(state_dir))


def _plane(transport: Transport) -> DataPlane:
    # One attempt: the engine is on this machine, and either there or not.
    return open_inference(
        "openai", transport, InferenceOptions(deadline_s=ANSWER_S, retry=RetryPolicy(attempts=1))
    )


async def _answers(transport: Transport) -> bool:
    """Whether what listens there takes our key. Not /health: llama.cpp answers that to anybody."""
    try:
        await transport.call("GET", "/models", deadline_s=HEALTH_S)
    except PlatformError:
        return False
    return True


def _spawn(files: EngineFiles, order: EngineOrder) -> subprocess.Popen[bytes]:
    # Spinning waits make two threads on two cores twenty times slower than passive ones.
    environment = environment_for_children() | {"OMP_WAIT_POLICY": "passive"}
    try:
        log = os.open(files.log, os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            child = subprocess.Popen(  # noqa: S603 - our own module, no shell
                # -P: the working directory must not be a place that modules are imported from.
                [sys.executable, "-P", "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
                cwd=files.directory,
                start_new_session=True,
            )
        finally:
            os.close(log)
    except OSError as cause:
        raise HarpoonError(f"the local engine cannot be started: {cause}") from cause
    assert child.stdin is not None, "stdin is a pipe"
    with suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(json.dumps(asdict(order)).encode())
    return child


async def _started(child: subprocess.Popen[bytes], files: EngineFiles) -> EngineState:
    gives_up_at = monotonic() + START_S
    while monotonic() < gives_up_at:
        state = read_state(files)
        if state is not None and state.pid == child.pid:
            return state
        if child.poll() is not None:
            raise HarpoonError(
                f"the local engine ended while starting: {_last_words(files)}",
                hint=f"its log is {files.log}; harpoon sandbox pull chooses another model",
            )
        await asyncio.sleep(LOOK_S)
    raise HarpoonError(f"the local engine was not ready after {START_S:g} s", hint=f"its log is {files.log}")


def _last_words(files: EngineFiles) -> str:
    """The first error in the log, which the later ones only follow from; else its last line."""
    try:
        lines = files.log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    errors = (line.split(" E ", 1)[1] for line in lines if " E " in line)
    return next(errors, lines[-1] if lines else "it said nothing")


async def _end(files: EngineFiles) -> None:
    """Take the state file away and wait until no engine lives; one that does not go is killed."""
    with suppress(FileNotFoundError):
        files.state.unlink()
    if await _within(END_S, lambda: not is_locked(files.alive)):
        return
    with suppress(OSError, ValueError):
        # The lock is held, so the process that wrote its id there still is that process.
        os.kill(int(files.alive.read_text("ascii")), signal.SIGKILL)
    if not await _within(END_S, lambda: not is_locked(files.alive)):
        raise HarpoonError("an earlier local engine does not end", hint=f"{files.alive} holds its process id")


async def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    gives_up_at = monotonic() + seconds
    while not condition():
        if monotonic() > gives_up_at:
            return False
        await asyncio.sleep(LOOK_S)
    return True


@asynccontextmanager
async def _turn(files: EngineFiles) -> AsyncIterator[None]:
    """Alone among all commands that look for, start or end an engine. Waits without blocking the loop."""
    try:
        files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        while (descriptor := try_lock(files.turn)) is None:  # noqa: ASYNC110 - another process's, no event
            await asyncio.sleep(LOOK_S)
    except OSError as cause:
        raise StorageFault(f"the engine's files in {files.directory} cannot be used: {cause}") from cause
    try:
        yield
    finally:
        os.close(descriptor)


def _threads() -> int:
    """One core is left for the process that asks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
