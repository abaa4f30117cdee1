"""What errors share beside their words."""

from __future__ import annotations

import shlex

import pytest

from harpoon_cli.errors import release_command


@pytest.mark.parametrize("name", ["alloc-1", "a; rm -rf x", "--all", "it's", "$(id)", "two words"])
def test_the_command_of_a_hint_is_safe_to_paste_whatever_the_id_is(name: str) -> None:
    words = shlex.split(release_command(name))
    assert words[:2] == ["harpoon", "release"]
    assert words[-1] == name
    assert ("--" in words) == name.startswith("-")
