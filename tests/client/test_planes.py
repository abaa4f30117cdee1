"""A configured platform on the wire: which host is sent what, and what its two planes have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from harpoon_cli.cli.connect import connect_live
from harpoon_cli.domain import CompletionRequest, Prompt, Secret
from harpoon_cli.errors import PlatformError
from harpoon_cli.settings.endpoint import LiveEndpoint
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.origins import Kind, SourceName
from tests.client.talk import KEY
from tests.servers import FaultyServer, Received, always, answer, run

ANSWERS = {"pools": [], "text": "Because.", "finish_reason": "stop"}
PROMPT = CompletionRequest(Prompt("Why?"), "gemma", None, None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def settings_of(**tables: dict[str, object]) -> Settings:
    return Settings.model_validate(tables)


async def used(control: FaultyServer, inference: FaultyServer, settings: Settings) -> None:
    """Pools of the one, a prompt to the other."""
    live = LiveEndpoint(
        control.url, inference.url, settings.platform.auth, Secret(KEY), SourceName(Kind.USER), "a test"
    )
    platform = connect_live(settings, live, lambda _: None)
    try:
        await platform.control.pools()
        await platform.inference.complete(PROMPT)
    finally:
        await platform.close()


@pytest.mark.parametrize("auth", ["bearer", "x-api-key"])
def test_another_host_gets_neither_the_key_nor_an_idempotency_key_it_promised_nothing_about(
    auth: str,
) -> None:
    async def work() -> tuple[Received, Received]:
        async with (
            FaultyServer(always(answer(200, ANSWERS))) as one,
            FaultyServer(always(answer(200, ANSWERS))) as two,
        ):
            platform: dict[str, object] = {"base_url": one.url, "inference_url": two.url, "auth": auth}
            await used(one, two, settings_of(platform=platform))
            return one.requests[0], two.requests[0]

    control, inference = run(work())
    assert KEY in str(control.headers)
    assert KEY not in str(inference)
    assert not {"authorization", "x-api-key", "idempotency-key"} & set(inference.headers)


@pytest.mark.parametrize("honoured", [True, False])
def test_the_platform_itself_gets_its_prompts_over_the_same_connection(honoured: bool) -> None:
    async def work() -> FaultyServer:
        async with FaultyServer(always(answer(200, ANSWERS))) as server:
            platform: dict[str, object] = {"base_url": server.url, "idempotency_keys": honoured}
            await used(server, server, settings_of(platform=platform))
            return server

    server = run(work())
    prompt = server.requests[1]
    assert server.connections == 1
    assert KEY in prompt.headers["authorization"]
    assert ("idempotency-key" in prompt.headers) is honoured


def test_each_plane_of_each_host_is_watched_by_itself(home: Path) -> None:
    async def work() -> None:
        async with FaultyServer(always(answer(503))) as server:
            settings = settings_of(platform={"base_url": server.url}, retry={"base_s": 0.001})
            for _ in range(3):
                with pytest.raises(PlatformError):
                    await used(server, server, settings)
            assert len(server.requests) == 5

    run(work())
    assert " control" in (home / "harpoon" / "breakers.json").read_text()
    assert " inference" not in (home / "harpoon" / "breakers.json").read_text()
