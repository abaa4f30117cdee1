"""Puts the sandbox together, and looks after it from outside: open, status, stop, reset.

Decides in one place what answers prompts: the local engine where a model was chosen and the engine is
installed, the simulator otherwise. Never the one for a failure of the other.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from harpoon_cli.errors import HarpoonError, StorageFault
from harpoon_cli.sandbox.answerer import Answerer, SimulatedAnswerer
from harpoon_cli.sandbox.application import SandboxApplication
from harpoon_cli.sandbox.engine_state import IDLE_S, EngineFiles, read_state
from harpoon_cli.sandbox.keys import KEY_FILE, sandbox_key
from harpoon_cli.sandbox.models import PulledModel, engine_installed, installed
from harpoon_cli.sandbox.platform import SandboxPlatform
from harpoon_cli.sandbox.pools import built_in_pools
from harpoon_cli.sandbox.simulator import Simulator
from harpoon_cli.sandbox.store import DATABASE, Store
from harpoon_cli.values import Struct


class SandboxStatus(Struct, frozen=True):
    """What there is of a sandbox. `answers` is "llama.cpp" or "simulated": what the next prompt would get.

    engine_address is where the engine listens, None where none runs now.
    """

    answers: str
    live_leases: int
    state_dir: Path
    model: PulledModel | None
    engine_installed: bool
    engine_address: str | None
    engine_pid: int | None


def open_sandbox(
    state_dir: Path, cache_dir: Path, *, idle_s: float = IDLE_S, threads: int | None = None
) -> SandboxApplication:
    """The platform whose state is in `state_dir` and whose model, if any, is in `cache_dir`.

    idle_s and threads are those of `engine.LocalEngine`.

    Raises `StorageFault` where the key cannot be kept, `ConfigurationFault` where the chosen model is gone.
    """
    answerer = _answerer(state_dir, cache_dir, idle_s, threads)
    key = sandbox_key(state_dir)
    return SandboxApplication(SandboxPlatform(Store(state_dir), built_in_pools()), answerer, key)


def status(state_dir: Path, cache_dir: Path) -> SandboxStatus:
    """Look, and change nothing."""
    model = installed(cache_dir)
    running = read_state(EngineFiles(state_dir))
    return SandboxStatus(
        answers="llama.cpp" if model and engine_installed() else "simulated",
        live_leases=_live_leases(state_dir),
        state_dir=state_dir,
        model=model,
        engine_installed=engine_installed(),
        engine_address=running.address if running else None,
        engine_pid=running.pid if running else None,
    )


async def stop(state_dir: Path) -> bool:
    """End the local engine; whether one was running."""
    # Loads the HTTP client, which nothing else here needs.
    from harpoon_cli.sandbox.engine import stop as stop_engine

    return await stop_engine(state_dir)


async def reset(state_dir: Path, *, force: bool = False) -> None:
    """Forget every lease, and end the engine. Refused while leases are live, unless `force`.

    With `force` a state that cannot be read is deleted, the key with it.
    """
    await stop(state_dir)
    if not Store(state_dir).path.exists():
        return
    try:
        _clear(state_dir, force=force)
    except StorageFault:
        if not force:
            raise
        _delete(state_dir)


def _delete(state_dir: Path) -> None:
    for path in (*state_dir.glob(f"{DATABASE}*"), state_dir / KEY_FILE):
        path.unlink(missing_ok=True)


def _clear(state_dir: Path, *, force: bool) -> None:
    with closing(Store(state_dir)) as store, store.transaction():
        live = len(store.live(datetime.now(UTC)))
        if live and not force:
            raise HarpoonError(
                f"the sandbox has {live} live lease{'s' if live > 1 else ''}",
                hint="harpoon release --all first, or harpoon sandbox reset --force",
            )
        store.clear()


def _live_leases(state_dir: Path) -> int:
    store = Store(state_dir)
    if not store.path.exists():
        return 0
    with closing(store), store.transaction():
        return len(store.live(datetime.now(UTC)))


def _answerer(state_dir: Path, cache_dir: Path, idle_s: float, threads: int | None) -> Answerer:
    model = installed(cache_dir)
    if model is None or not engine_installed():
        return SimulatedAnswerer(Simulator())
    # Loads the HTTP client; the simulator needs none.
    from harpoon_cli.sandbox.engine import LocalEngine

    return LocalEngine(state_dir, model, idle_s=idle_s, threads=threads)
