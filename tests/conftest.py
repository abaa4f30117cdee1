"""What all tests share: no keeper of a test outlives the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harpoon_cli.leases.keeper import SCRIPT


@pytest.fixture(scope="session", autouse=True)
def _keepers_end_with_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A keeper goes on for an hour, or to a lease's end: for a platform that ended with its test."""
    yield
    place = os.fsencode(tmp_path_factory.getbasetemp())
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                os.fsencode(SCRIPT) in (directory / "cmdline").read_bytes().split(b"\0")
                and place in (directory / "environ").read_bytes()
            ):
                os.kill(int(directory.name), signal.SIGTERM)
