"""The sandbox from outside: what answers, what there is, and a new beginning."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from harpoon_cli.errors import ConfigurationFault, HarpoonError, StorageFault
from harpoon_cli.sandbox.embedded import open_sandbox, reset, status, stop
from harpoon_cli.sandbox.models import use_file

from .harness import Caller


class Sandbox:
    """A sandbox in a folder of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.state, self.cache = tmp_path / "state", tmp_path / "cache"

    def lease(self) -> str:
        """A new lease, taken and left as a command would."""
        application = open_sandbox(self.state, self.cache)
        body = {"pool_id": "gpu-pool-1", "requirements": {"vram_mb": 2048, "tflops": 5}}
        key = f"Bearer {application.key.reveal()}"
        answer = Caller(application)("POST", "/v1/allocate", body, authorization=key)
        asyncio.run(application.close())
        return str(answer.json["allocation_id"])

    def live(self) -> int:
        return status(self.state, self.cache).live_leases


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.fixture
def chosen(sandbox: Sandbox, tmp_path: Path) -> Path:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    use_file(sandbox.cache, own)
    return own


def test_looking_at_a_sandbox_that_never_was_makes_nothing(sandbox: Sandbox) -> None:
    seen = status(sandbox.state, sandbox.cache)
    assert (seen.answers, seen.live_leases, seen.model, seen.engine_pid) == ("simulated", 0, None, None)
    assert not asyncio.run(stop(sandbox.state))
    assert not sandbox.state.exists()
    assert not sandbox.cache.exists()


def test_without_the_engines_package_a_model_does_not_answer(
    sandbox: Sandbox, chosen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    seen = status(sandbox.state, sandbox.cache)
    assert (seen.answers, seen.engine_installed) == ("simulated", False)
    assert seen.model is not None
    assert seen.model.path == chosen


def test_a_chosen_model_that_is_gone_is_an_error_and_not_the_simulator(
    sandbox: Sandbox, chosen: Path
) -> None:
    chosen.unlink()
    with pytest.raises(ConfigurationFault, match="gone or has changed"):
        open_sandbox(sandbox.state, sandbox.cache)


def test_leases_outlive_the_command_that_took_them(sandbox: Sandbox) -> None:
    sandbox.lease()
    sandbox.lease()
    assert sandbox.live() == 2


def test_a_reset_is_refused_while_leases_are_live(sandbox: Sandbox) -> None:
    sandbox.lease()
    with pytest.raises(HarpoonError, match="1 live lease") as refusal:
        asyncio.run(reset(sandbox.state))
    assert "--force" in str(refusal.value.hint)
    assert sandbox.live() == 1


def test_a_forced_reset_forgets_every_lease_and_keeps_the_key(sandbox: Sandbox) -> None:
    sandbox.lease()
    key = open_sandbox(sandbox.state, sandbox.cache).key
    asyncio.run(reset(sandbox.state, force=True))
    assert sandbox.live() == 0
    assert open_sandbox(sandbox.state, sandbox.cache).key.reveal() == key.reveal()


def test_a_forced_reset_replaces_a_state_that_cannot_be_read(sandbox: Sandbox) -> None:
    sandbox.lease()
    (sandbox.state / "sandbox.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(StorageFault):
        asyncio.run(reset(sandbox.state))
    asyncio.run(reset(sandbox.state, force=True))
    sandbox.lease()
    assert sandbox.live() == 1


def test_a_reset_of_nothing_is_no_error(sandbox: Sandbox) -> None:
    asyncio.run(reset(sandbox.state))
