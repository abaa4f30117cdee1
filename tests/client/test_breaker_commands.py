"""The breaker as a user meets it: real commands one after the other, and a platform that is down."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import FaultyServer, Script, always, answer, run


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class User:
    """Somebody at home with a platform."""

    home: Path
    server: FaultyServer

    async def harpoon(self, *arguments: str) -> Done:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        settings = {
            "HOME": str(self.home),
            "HOSTED_AI_BASE_URL": self.server.url,
            "HOSTED_AI_API_KEY": "k",
            "HARPOON_RETRY__BASE_S": "0.01",
            "HARPOON_BREAKER__PROBE_S": "1h",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "harpoon_cli", *arguments),
            env=kept | settings,
            cwd=self.home,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @property
    def file(self) -> Path:
        return self.home / ".local/state/harpoon/breakers.json"


@asynccontextmanager
async def user_of(home: Path, script: Script) -> AsyncIterator[User]:
    async with FaultyServer(script) as server:
        yield User(home, server)


def test_commands_in_a_row_leave_a_dead_platform_alone_and_say_until_when(tmp_path: Path) -> None:
    async def work() -> None:
        async with user_of(tmp_path, always(answer(503))) as user:
            done = [await user.harpoon("pools", "-o", "json") for _ in range(3)]
            errors = [json.loads(one.out)["errors"][0] for one in done]
            assert [one.status for one in done] == [7, 7, 7]
            assert [one["code"] for one in errors] == ["server_fault", "server_fault", "breaker_open"]
            assert errors[2]["message"].startswith(
                f"{user.server.url} failed too often in a row; nothing more"
            )
            assert len(user.server.requests) == 5
            doctor = await user.harpoon("doctor", "-o", "json")
            findings = json.loads(doctor.out)["data"]["findings"]
            (control, inference) = [one for one in findings if one["check"] == "breaker"]
            assert control["verdict"] == "warning"
            assert control["found"].startswith(
                f"open for {user.server.url}, control plane: 5 failures in a row"
            )
            assert inference["verdict"] == "ok"
            assert doctor.status == 7

    run(work())


def test_a_state_that_cannot_be_used_stops_no_command_and_doctor_tells(tmp_path: Path) -> None:
    async def work() -> None:
        async with user_of(tmp_path, always(answer(200, {"pools": []}))) as user:
            user.file.mkdir(parents=True)
            pools = await user.harpoon("pools", "-o", "json")
            assert pools.status == 0
            doctor = await user.harpoon("doctor", "-o", "json")
            found = [one for one in json.loads(doctor.out)["data"]["findings"] if one["check"] == "breaker"]
            assert {one["verdict"] for one in found} == {"warning"}
            assert f"{user.file} cannot be used" in found[0]["found"]

    run(work())


def test_a_command_that_ends_well_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work() -> None:
        async with user_of(tmp_path, always(answer(200, {"pools": []}))) as user:
            assert (await user.harpoon("pools", "-o", "json")).status == 0
            assert not user.file.exists()

    run(work())
