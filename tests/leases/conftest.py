"""What the tests of leases share: a disk that costs no time, virtual time, a world."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harpoon_cli.client.service import Features
from tests.leases.virtual import VirtualTime, virtual_time
from tests.leases.world import FULL, FakePlatform, World

MakeWorld = Callable[..., World]


@pytest.fixture
def quick_dir() -> Iterator[Path]:
    """A directory in memory where the system has one: thousands of durable writes cost no disk then."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    with virtual_time() as time:
        yield time


@pytest.fixture
def make_world(time: VirtualTime, quick_dir: Path) -> Iterator[MakeWorld]:
    """A world of the given features; each with a ledger of its own."""
    worlds: list[World] = []

    def make(features: Features = FULL, *, shown_after_s: float = 0.0, starts_after_s: float = 1.0) -> World:
        platform = FakePlatform(time, features, shown_after_s, starts_after_s)
        directory = Path(tempfile.mkdtemp(dir=quick_dir))
        worlds.append(World(time, directory / "ledger.db", platform))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
