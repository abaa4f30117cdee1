"""What pip puts on the PATH as `harpoon`: no Ctrl-C during Python's own start prints Python's traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

LAUNCHER = Path(__file__).parents[2] / "launcher" / "bin" / "harpoon"

STARTS = int(os.environ.get("HARPOON_TEST_STARTS", "1")) * 24
"""How many moments are tried."""

FIRST_S = 0.06
"""Python is at our first line by then."""

ENV = "/usr/bin/env"

CAN_HOLD_BACK = subprocess.run([ENV, "--block-signal=INT", "true"], capture_output=True).returncode == 0

ENTRY = f"#!{sys.executable}\nfrom harpoon_cli.__main__ import main\nmain()\n"
LONG_PATH = '#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n'
"""What pip writes for a Python whose path is too long for a first line begins like this."""


def installed(place: Path, entry: str = ENTRY) -> Path:
    """The launcher beside an entry, as pip puts them."""
    place.mkdir()
    for name, content in (("harpoon", LAUNCHER.read_text()), ("harpoon-python", entry)):
        (place / name).write_text(content)
        (place / name).chmod(0o755)
    return place / "harpoon"


def ran(*command: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=60)


def test_it_is_what_a_wheel_puts_on_the_path() -> None:
    configuration = (LAUNCHER.parents[2] / "pyproject.toml").read_text()
    assert '[tool.flit.external-data]\ndirectory = "launcher"\n' in configuration
    assert os.access(LAUNCHER, os.X_OK)


@pytest.mark.skipif(not CAN_HOLD_BACK, reason="this env cannot hold a signal back")
def test_ctrl_c_amid_pythons_own_start_leaves_no_traceback(tmp_path: Path) -> None:
    harpoon = installed(tmp_path / "bin")
    ends = set()
    for number in range(STARTS):
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        with subprocess.Popen(
            [harpoon, "pools"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            sleep(FIRST_S * number / STARTS)
            process.send_signal(signal.SIGINT)
            ends.add((process.communicate(timeout=60)[1], process.returncode))
    # A shell that is killed by SIGINT has status 130 too.
    assert {(err.partition(b":")[0], status) for err, status in ends} <= {
        (b"", 130),
        (b"", -signal.SIGINT),
        (b"error", 130),
        (b"note", 130),
    }


def test_it_is_found_by_a_link_to_it_alone(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(installed(tmp_path / "bin"))
    assert ran(link, "--version").stdout.startswith("harpoon ")


def test_arguments_and_status_pass_through_it_as_they_are(tmp_path: Path) -> None:
    done = ran(installed(tmp_path / "b in", LONG_PATH), "a  b", "", "$(c)", "-d", "'\"\n*")
    assert (done.returncode, done.stdout) == (7, "a  b||$(c)|-d|'\"\n*|")
    assert ran(installed(tmp_path / "bin"), "nonsense").returncode == 2


def test_a_copy_without_its_entry_and_an_entry_without_its_python_are_told(tmp_path: Path) -> None:
    alone = tmp_path / "copy"
    alone.write_text(LAUNCHER.read_text())
    alone.chmod(0o755)
    missing = f"error: this is the launcher of harpoon alone: there is no {tmp_path}/harpoon-python\n"
    gone = "error: the Python that harpoon was installed for is gone: /gone/python3\n"
    for harpoon, said in ((alone, missing), (installed(tmp_path / "bin", "#!/gone/python3\n"), gone)):
        done = ran(harpoon, "pools")
        assert (done.returncode, done.stdout) == (127, "")
        assert done.stderr.startswith(f"{said}hint: install it anew")


def test_where_a_signal_cannot_be_held_back_it_starts_all_the_same(tmp_path: Path) -> None:
    harpoon = installed(tmp_path / "bin")
    other = tmp_path / "env"
    for content in ("#!/bin/sh\nexit 125\n", None):
        if content is None:
            other.unlink()
        else:
            other.write_text(content)
            other.chmod(0o755)
        harpoon.write_text(LAUNCHER.read_text().replace(ENV, str(other)))
        done = ran(harpoon, "--version")
        assert (done.returncode, done.stderr) == (0, "")


def test_no_program_of_the_path_is_run_for_its_start(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(installed(tmp_path / "bin"))
    strange = tmp_path / "strange"
    strange.mkdir()
    for name in ("env", "true", "readlink", "sh", "python3"):
        (strange / name).write_text(f"#!/bin/sh\necho a stranger >> {tmp_path}/seen\nexit 1\n")
        (strange / name).chmod(0o755)
    for path in (f"{strange}:{os.environ['PATH']}", str(strange), ""):
        assert ran(link, "--version", path=path).returncode == 0
    assert not (tmp_path / "seen").exists()


def test_what_lies_in_the_working_directory_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harpoon_cli").mkdir()
    (tmp_path / "harpoon_cli" / "__main__.py").write_text("print('a stranger')\n")
    monkeypatch.chdir(tmp_path)
    assert "a stranger" not in ran(installed(tmp_path / "bin"), "--version").stdout
