"""A fresh operator for every test: no setting, lease or model of the machine's user is seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.rig import Operator
from tests.sandbox.harness import KEY, Clock, application, served

FOREIGN = ("HARPOON_", "HOSTED_AI_", "XDG_", "GITHUB_", "CI_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


class WallClock(Clock):
    """Goes by itself."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def harpoon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """An operator with nothing configured: every command meets the embedded sandbox."""
    for name in [name for name in os.environ if name.startswith(FOREIGN) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(cwd)
    return Operator(home, cwd)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[str]:
    """A real platform on a loopback port, with one pool `pool` of two small cards; its URL."""
    with served(application(tmp_path / "platform", WallClock())) as url:
        yield url


@pytest.fixture
def live(harpoon: Operator, platform: str) -> Operator:
    """An operator whose environment names the real platform, and whose models fit its small cards."""
    harpoon.environ |= {"HOSTED_AI_BASE_URL": platform, "HOSTED_AI_API_KEY": KEY}
    harpoon.configure("[models.gemma-270m]\nvram_mb = 100\n[models.qwen-30b]\nvram_mb = 900\ntflops = 9\n")
    return harpoon
