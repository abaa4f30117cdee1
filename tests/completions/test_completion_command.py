"""`harpoon completion`: the script is printed, or written where the shell looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harpoon_cli.cli import shells
from tests.cli.rig import Operator

SCRIPTS = Path(__file__).parents[2] / "completions"
PLACES = {
    "bash": ".local/share/bash-completion/completions/harpoon",
    "fish": ".config/fish/completions/harpoon.fish",
    "zsh": ".local/share/zsh/site-functions/_harpoon",
}


def test_every_shell_has_a_place() -> None:
    assert sorted(PLACES) == list(shells.names())


@pytest.mark.parametrize("shell", PLACES)
def test_what_is_shown_is_the_committed_script(harpoon: Operator, shell: str) -> None:
    shown = harpoon("completion", "show", shell)
    assert shown.out == (SCRIPTS / shells.load(shell).FILE).read_text()
    assert (shown.status, shown.err) == (0, "")


@pytest.mark.parametrize("shell", PLACES)
def test_what_is_installed_is_what_is_shown_and_the_way_on_is_told(harpoon: Operator, shell: str) -> None:
    ran = harpoon("completion", "install", "--shell", shell)
    written = harpoon.home / PLACES[shell]
    assert written.read_text() == harpoon("completion", "show", shell).out
    assert ran.out.startswith(f"written\t{written}\nnext\t")
    assert [one.name for one in written.parent.iterdir()] == [written.name]


def test_the_shell_is_the_one_that_the_environment_names(harpoon: Operator) -> None:
    harpoon.environ["SHELL"] = "/usr/local/bin/fish"
    assert harpoon("completion", "install", "-q").out == f"{harpoon.home / PLACES['fish']}\n"


def test_xdg_directories_are_respected(harpoon: Operator, tmp_path: Path) -> None:
    harpoon.environ |= {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    for shell in PLACES:
        assert harpoon("completion", "install", "--shell", shell).status == 0
    assert not (harpoon.home / ".local").exists()
    assert (tmp_path / "data" / "zsh" / "site-functions" / "_harpoon").exists()
    assert (tmp_path / "config" / "fish" / "completions" / "harpoon.fish").exists()


@pytest.mark.parametrize("name", ["", "/bin/tcsh", "/bin/../../etc/passwd"])
def test_a_shell_that_is_not_known_is_said_so(harpoon: Operator, name: str) -> None:
    harpoon.environ["SHELL"] = name
    ran = harpoon("completion", "install")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith("hint: harpoon completion install --shell with one of: bash, fish, zsh\n")


def test_a_place_that_cannot_be_written_is_said_so(harpoon: Operator) -> None:
    (harpoon.home / ".local").write_text("in the way")
    ran = harpoon("completion", "install", "--shell", "bash")
    assert ran.status == 11
    assert ran.err.startswith(f"error: cannot write {harpoon.home / PLACES['bash']}: ")
