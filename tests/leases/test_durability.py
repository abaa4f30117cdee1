"""The intent is on the disk before the request leaves, as the system calls of a whole command show."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.leases.watched import ended, watched

CALLS = "trace=fsync,fdatasync,pwrite64,sendto,write"


def _can_trace() -> bool:
    strace = shutil.which("strace")
    return (
        strace is not None
        and subprocess.run([strace, "-o", "/dev/null", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not _can_trace(), reason="strace is not here, or may not trace")
def test_the_intent_and_the_way_to_it_are_synced_before_the_request_leaves(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-y", "-s", "64", "-e", CALLS, "-o", str(trace))
    with watched(tmp_path) as place:
        status, _, err = ended(place.harpoon("allocate", "--model", "gemma-2b", before=strace))
        assert status == 0, err
    calls = trace.read_text(errors="replace").splitlines()
    sent = next(number for number, call in enumerate(calls) if "POST /v1/allocate" in call)
    before = calls[:sent]
    log = f"<{place.ledger}-wal>"
    written = max(number for number, call in enumerate(before) if "pwrite64(" in call and log in call)
    synced = max(number for number, call in enumerate(before) if "sync(" in call and log in call)
    assert written < synced
    for directory in (place.ledger.parent, place.ledger.parent.parent):
        assert any("fsync(" in call and f"<{directory}>" in call for call in before), directory
