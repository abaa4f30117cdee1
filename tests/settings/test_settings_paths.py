"""Where files live, and that looking for them is cheap."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harpoon_cli.errors import StorageFault
from harpoon_cli.settings import paths
from tests.settings.place import Place, write


def test_the_directories_are_below_home_where_nothing_else_is_said() -> None:
    environ = {"HOME": "/home/ann"}
    assert paths.config_dir(environ) == Path("/home/ann/.config/harpoon")
    assert paths.state_dir(environ) == Path("/home/ann/.local/state/harpoon")
    assert paths.cache_dir(environ) == Path("/home/ann/.cache/harpoon")


def test_xdg_variables_move_them() -> None:
    environ = {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/k"}
    assert [paths.config_dir(environ), paths.state_dir(environ), paths.cache_dir(environ)] == [
        Path("/c/harpoon"),
        Path("/s/harpoon"),
        Path("/k/harpoon"),
    ]


@pytest.mark.parametrize("value", ["", "relative/dir", "./x"])
def test_a_relative_xdg_variable_counts_as_unset(value: str) -> None:
    assert paths.state_dir({"HOME": "/h", "XDG_STATE_HOME": value}) == Path("/h/.local/state/harpoon")


def test_the_project_file_is_found_up_to_the_root_of_the_repository(place: Place) -> None:
    deep = place.cwd / "a" / "b"
    deep.mkdir(parents=True)
    file = place.project("")
    assert paths.project_file(deep, place.environ) == file


def test_the_nearest_project_file_counts(place: Place) -> None:
    place.project("")
    nearer = write(place.cwd / "a" / "harpoon.toml", "")
    assert paths.project_file(place.cwd / "a", place.environ) == nearer


def test_no_project_file_above_the_repository_is_looked_at(place: Place) -> None:
    write(place.cwd.parent / "harpoon.toml", "")
    assert paths.project_file(place.cwd, place.environ) is None


def test_outside_of_a_repository_only_the_working_directory_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path / "harpoon.toml", "")
    (tmp_path / "sub").mkdir()
    assert paths.project_file(tmp_path / "sub", {"HOME": "/h"}) is None
    assert paths.project_file(tmp_path, {"HOME": "/h"}) == tmp_path / "harpoon.toml"


def test_a_home_directory_under_version_control_does_not_speak_for_what_is_below_it(place: Place) -> None:
    (place.home / ".git").mkdir()
    write(place.home / "harpoon.toml", "")
    below = place.home / "elsewhere"
    below.mkdir()
    assert paths.project_file(below, place.environ) is None


def test_private_directories_are_for_their_owner_alone(tmp_path: Path) -> None:
    made = paths.make_private(tmp_path / "a" / "b")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert paths.make_private(made) == made


def test_a_directory_that_cannot_be_made_is_a_storage_fault(tmp_path: Path) -> None:
    file = write(tmp_path / "file", "")
    with pytest.raises(StorageFault, match="cannot create the directory"):
        paths.make_private(file / "below")


@pytest.mark.parametrize(
    "module", ["harpoon_cli.settings.paths", "harpoon_cli.durations", "harpoon_cli.catalogue"]
)
def test_what_tab_completion_uses_does_not_load_pydantic(module: str) -> None:
    code = f"import sys, {module}; print([m for m in sys.modules if m.split('.')[0].startswith('pydantic')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
