"""The process that checks an answer by a pattern ends by itself where nobody is left to end it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

ASKED = json.dumps({"kind": "pattern", "schema": None, "pattern": "(a+)+b", "text": "a" * 64}).encode()


@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGALRM, signal.SIG_IGN); "])
def test_a_check_without_a_parent_does_not_go_on_for_ever(before: str) -> None:
    script = f"import signal; {before}from harpoon_cli.cli import checking as it; it.ALONE_S = 1; it.main()"
    ended = subprocess.run([sys.executable, "-c", script], input=ASKED, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGALRM, b"", b"")
