"""Starts the keeper, which gives back what harpoon held when harpoon is killed, and tells it what to do.

    harpoon ── a pipe, whose end is harpoon's end ──► keeper ── when that comes without a word ──► release

Knows no leases and no settings: it is given command lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from errno import ENOENT
from pathlib import Path

SCRIPT = Path(__file__).with_name("keeper_process.py")

_OPTIONS = ("-I", "-S")
"""Isolated and without site: nothing of the environment or of an installation slows or changes it."""


class Keeper:
    """A running keeper. `OSError` where none can be started; the other methods never raise."""

    def __init__(self, when_gone: Sequence[str]) -> None:
        """Once this process is gone without another word, the command line is run."""
        if not sys.executable or not SCRIPT.is_file():
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
        reading, self._pipe = os.pipe()
        try:
            # In a session of its own: what ends this one, its terminal or its group, does not end the keeper.
            # It has no output of ours: a reader of that waits until all who hold it are gone.
            self._process = subprocess.Popen(  # noqa: S603 - this Python, with a file of ours
                [sys.executable, *_OPTIONS, SCRIPT],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(reading)
        self._tell("gone", when_gone)

    def at(self, moment: datetime, words: Sequence[str]) -> bool:
        """Have it run this command line then, also where this process is long gone; False if it is dead."""
        return self._tell(f"at {moment.timestamp():.3f}", words)

    def done(self, *, stays: bool) -> None:
        """Nothing needs to be done when this process is gone; with stays, what was ordered for later does."""
        if stays:
            self._tell("done", ())
            self.leave()
        else:
            # It is our child, and has nothing to do: waiting until it has read that would take longer.
            self._process.kill()
            self.leave()
            self._process.wait()

    def leave(self) -> None:
        """Let it find out by itself: from here on this process counts as gone."""
        with suppress(OSError):
            os.close(self._pipe)

    def _tell(self, kind: str, words: Sequence[str]) -> bool:
        line = " ".join([kind, *(os.fsencode(word).hex() for word in words)])
        try:
            os.write(self._pipe, f"{line}\n".encode())
        except OSError:
            return False
        return True
