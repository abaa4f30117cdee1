"""In no surroundings, however broken, does a command end in a traceback or in a status that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import join

import pytest

from harpoon_cli.errors import Exit
from tests.security.harmless import harmful

HARPOON = [sys.executable, "-m", "harpoon_cli"]
ODD = "\x1b]0;owned\x07\udcff\u202e"

AROUND = {
    "standard output is closed": "{} >&-",
    "all streams are closed": "{} >&- 2>&- <&-",
    "the disk is full": "{} >/dev/full",
    "the disk is full, for errors too": "{} >/dev/full 2>/dev/full",
    "nobody reads": "{} | true; exit ${{PIPESTATUS[0]}}",
    "the working directory is gone": "mkdir gone; cd gone; rmdir ../gone; {}",
    "few files may be open": "ulimit -n 8; {}",
    "hardly any file may be open": "ulimit -n 5; {}",
    "no file may be written": "ulimit -f 0; {}",
    "there is little memory": "ulimit -v 150000; {}",
    "there is hardly any memory": "ulimit -v 60000; {}",
}
"""What is wrong, and the shell's line for it."""

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "ASCII, odd names and proxies": {
        **{"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        **{"USER": ODD, "LOGNAME": ODD, "SHELL": ODD, "HARPOON_RUN_ID": ODD, "TERM": ODD},
        **{"HTTPS_PROXY": ODD, "NO_PROXY": "[[", "SSL_CERT_FILE": "/none", "COLUMNS": "1", "LINES": "-5"},
    },
    "Latin-1, no home": {"PYTHONIOENCODING": "latin-1", "HOME": "", "PYTHONWARNINGS": "error"},
    "UTF-16, a home of 5,000 letters": {"PYTHONIOENCODING": "utf-16", "HOME": "/" + "x" * 5000},
    "no locale, an odd home": {"LC_ALL": "xx_YY.nothing", "LANG": ODD, "HOME": f"/tmp/{ODD}\n"},
    "a home that cannot be": {"HOME": "/proc/self/none"},
    "odd settings": {"HARPOON_LEASE__TTL_S": ODD, "HARPOON_OUTPUT__FORMAT": ODD},
}

VERSION, INFER = ["--version"], ["infer", "Hello", "-vvv"]
ODD_LINES = (["infer", ODD], ["infer", "-f", ODD], ["release", ODD], ["config", "set", ODD, ODD], [ODD])


def ran(place: Path, line: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=place,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


def assert_civil(done: subprocess.CompletedProcess[bytes]) -> None:
    said = done.stdout + done.stderr
    for word in (b"Traceback", b"a bug in harpoon", b"Exception ignored", b"Warning"):
        assert word not in said, said.decode(errors="replace")
    assert done.returncode in set(Exit), said.decode(errors="replace")


@pytest.mark.parametrize("around", AROUND)
def test_whatever_the_shell_leaves_out_is_a_sentence(tmp_path: Path, around: str) -> None:
    for line in (VERSION, INFER) if "stream" in around or "disk" in around else (INFER,):
        assert_civil(ran(tmp_path, AROUND[around].format(join([*HARPOON, *line])), {}))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_whatever_the_environment_says_is_no_traceback(tmp_path: Path, name: str) -> None:
    done = ran(tmp_path, join([*HARPOON, *INFER]), ENVIRONMENTS[name])
    assert_civil(done)
    encoding = {"Latin-1": "latin-1", "UTF-16": "utf-16"}.get(name.partition(",")[0], "utf-8")
    assert harmful(done.stderr.decode(encoding).replace("\ufeff", "")) == []


def test_arguments_that_are_not_utf_8_are_a_sentence(tmp_path: Path) -> None:
    for line in ODD_LINES:
        done = ran(tmp_path, join([*HARPOON, *line]), {})
        assert_civil(done)
        assert done.returncode != 0
        assert harmful(done.stderr.decode()) == []


def test_a_state_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "harpoon").write_text("a file")
    for line in (INFER, ["leases"], ["_complete", "leases"]):
        assert_civil(ran(tmp_path, join([*HARPOON, *line]), {"XDG_STATE_HOME": str(tmp_path / "state")}))
