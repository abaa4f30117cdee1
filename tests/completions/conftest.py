"""A home of the test's own, with a stand-in for harpoon on PATH where only the script is under test."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import harpoon

__all__ = ["harpoon"]


@dataclass(frozen=True)
class Place:
    """Where a shell runs. `offer` says what the stand-in answers; `asked` is what it was asked so far."""

    home: Path

    @property
    def environ(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"HOME": str(self.home), "PATH": path}

    def stand_in(self) -> None:
        program = self.home / "bin" / "harpoon"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\necho "$@" >>"$HOME/asked"\ncat "$HOME/offered"\n')
        program.chmod(0o755)

    def offer(self, *values: str) -> None:
        (self.home / "offered").write_text("".join(f"{value}\n" for value in values))

    def asked(self) -> list[str]:
        log = self.home / "asked"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
