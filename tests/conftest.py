"""What all tests share: workers where they pay, no property that is timed, no keeper that outlives a run."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from harpoon_cli.leases.keeper import SCRIPT

settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """None for single files, which are done before a worker has started; else one more than processors.

    A third of the tests' time is waiting for other processes, servers and patience that runs out.
    """
    if all(Path(named.partition("::")[0]).is_file() for named in config.args):
        return 0
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: looking for garbage in it was a tenth of the tests' time."""
    gc.freeze()


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
