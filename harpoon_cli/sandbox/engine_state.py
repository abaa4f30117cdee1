"""What the engine's process and the commands that look for it know of each other: files in a directory.

engine.json   where the engine listens and its key; 0600. Its age is how long nobody asked for the engine.
              The engine ends when this file is gone or another's.
engine.lock   held while an engine is looked for, started or ended, so that two commands start one
engine.alive  held by the engine's process for as long as it lives; holds its process id
engine.log    what llama.cpp says; a new start begins it anew
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from harpoon_cli.domain import Secret
from harpoon_cli.sandbox.locks import is_locked
from harpoon_cli.values import Struct, asdict

IDLE_S = 600.0
"""How long an engine that nobody asks stays, where nothing else is said."""


class EngineFiles(Struct, frozen=True):
    """The engine's files in one state directory."""

    directory: Path

    @property
    def state(self) -> Path:
        return self.directory / "engine.json"

    @property
    def turn(self) -> Path:
        return self.directory / "engine.lock"

    @property
    def alive(self) -> Path:
        return self.directory / "engine.alive"

    @property
    def log(self) -> Path:
        return self.directory / "engine.log"


class EngineOrder(Struct, frozen=True):
    """What an engine is to run, as it is told on its standard input; the key is in no command line."""

    directory: str
    model_path: str
    model_name: str
    model_bytes: int
    key: str
    threads: int
    idle_s: float
    context_tokens: int = 4096


class EngineState(Struct, frozen=True):
    """A running engine."""

    address: str
    key: Secret
    pid: int
    model_path: str
    model_name: str
    model_bytes: int


def write_state(files: EngineFiles, order: EngineOrder, address: str) -> int:
    """Say that the engine of this process answers; the inode of the file that says so."""
    fields = {"address": address, "pid": os.getpid()}
    fields |= {name: value for name, value in asdict(order).items() if name.startswith(("model_", "key"))}
    draft = files.state.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        json.dump(fields, file)
        inode = os.fstat(file.fileno()).st_ino
    draft.replace(files.state)
    return inode


def read_state(files: EngineFiles) -> EngineState | None:
    """The engine that the state file speaks of, if its process lives; None for anything else."""
    try:
        found = json.loads(files.state.read_text("utf-8"))
        state = EngineState(
            address=str(found["address"]),
            key=Secret(str(found["key"])),
            pid=int(found["pid"]),
            model_path=str(found["model_path"]),
            model_name=str(found["model_name"]),
            model_bytes=int(found["model_bytes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if is_locked(files.alive) else None
