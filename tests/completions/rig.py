"""A real interactive shell on a pseudo-terminal, to press TAB in."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
from pathlib import Path
from time import monotonic
from types import TracebackType

import pytest

SCRIPTS = Path(__file__).parents[2] / "completions"
PATIENCE_S = 30.0
"""A shell that has not answered by then never will."""

STARTS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
SETUP = {
    "bash": "PS1=; HISTFILE=; source {scripts}/harpoon.bash",
    "zsh": "PS1=; fpath=({scripts} $fpath); autoload -Uz compinit; compinit -D -u",
    "fish": "function fish_prompt; end; set -g fish_autosuggestion_enabled 0; source {scripts}/harpoon.fish",
}
HOME_KEY, END_KEY = "\x01", "\x05"
_CONTROL_SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()=>].?)")


class Terminal:
    """One shell. `tab(line)` types a line and TAB, and gives the words that the shell then has.

    `seen` is everything that it has shown.
    """

    def __init__(self, shell: str, cwd: Path, environ: dict[str, str]) -> None:
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed")
        self._controller, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [program, *STARTS[shell]],
            preexec_fn=lambda: os.login_tty(terminal),
            pass_fds=[terminal],
            cwd=cwd,
            env={"TERM": "xterm", "LANG": "C.UTF-8", **environ},
        )
        os.close(terminal)
        self._count = 0
        self.seen = ""
        self._run(SETUP[shell].format(scripts=SCRIPTS))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._controller)

    def tab(self, line: str) -> list[str]:
        """The words of the command line after `line` and TAB, as a program would get them."""
        return self._run(f"{line}\t{HOME_KEY}command printf '\\n<%s>\\n' {END_KEY}")

    def _run(self, keys: str) -> list[str]:
        """Type the keys and Enter; the <words> that were printed by then."""
        self._count += 1
        # Written apart, so that the echo of what is typed is not taken for its output.
        self._type(f"{keys}\r command echo done'-'{self._count}\r")
        seen = self._read_until(f"done-{self._count}")
        return re.findall(r"^<(.*)>\r?$", seen, re.MULTILINE)

    def _type(self, keys: str) -> None:
        os.write(self._controller, keys.encode())

    def _read_until(self, mark: str) -> str:
        seen, ends_at = "", monotonic() + PATIENCE_S
        while mark not in seen:
            ready, _, _ = select.select([self._controller], [], [], ends_at - monotonic())
            assert ready, f"the shell said only {seen!r}"
            seen += _CONTROL_SEQUENCES.sub("", os.read(self._controller, 65536).decode(errors="replace"))
        self.seen += seen
        return seen.replace("\r\r\n", "\n")
