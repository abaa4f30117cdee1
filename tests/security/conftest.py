"""An operator whose environment names a hostile platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import harpoon
from tests.cli.rig import Operator
from tests.security.platform import HostilePlatform, hosted
from tests.security.secrets import CANARY

__all__ = ["harpoon"]


@pytest.fixture
def hostile(tmp_path: Path) -> HostilePlatform:
    return HostilePlatform(tmp_path / "platform")


@pytest.fixture
def victim(harpoon: Operator, hostile: HostilePlatform) -> Iterator[Operator]:
    """Talks to the hostile platform, with a key that is a canary."""
    with hosted(hostile) as url:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": CANARY}
        harpoon.configure(
            "[models.gemma-270m]\nvram_mb = 100\n[models.qwen-30b]\nvram_mb = 900\ntflops = 9\n"
        )
        yield harpoon
