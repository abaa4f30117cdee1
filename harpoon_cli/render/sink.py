"""One output stream that may be closed, full or no longer read; it writes what it is given, unchanged."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from harpoon_cli.errors import Exit, StorageFault


class ReaderGone(Exception):
    """Nobody reads our output any more (`| head`): release what is held and end, without a word."""


class OutputFault(StorageFault):
    """Standard output or standard error cannot be written: no file of ours, so an error as any other."""

    exit = Exit.FAILED
    way_out = None


class Sink:
    """A stream, or None where it was closed before the start.

    After a failure it is silent: the failure is told once, and what is written then goes nowhere.
    """

    def __init__(self, stream: TextIO | None, name: str) -> None:
        self._stream = stream
        self._name = name
        self._silent = False
        self.writing = False
        self.stopped = False

    def write(self, text: str) -> None:
        """Write and flush. `ReaderGone` where the reader left, `OutputFault` for any other failure.

        A reader that does not read keeps this waiting. While `writing` is true a signal handler may raise
        `ReaderGone` to end that; one that sets `stopped` makes sure that no write begins after it.
        """
        if self._silent or not text:
            return
        if self._stream is None:
            self._silent = True
            raise OutputFault(f"cannot write to {self._name}: it is closed")
        try:
            self.writing = True
            if not self.stopped:
                self._stream.write(text)
                self._stream.flush()
                return
        except ReaderGone:
            self._silence()
            raise
        except BrokenPipeError as gone:
            self._silence()
            raise ReaderGone(self._name) from gone
        except (OSError, ValueError) as fault:
            self._silence()
            reason = fault.strerror if isinstance(fault, OSError) else "it is closed"
            raise OutputFault(f"cannot write to {self._name}: {reason}") from fault
        finally:
            self.writing = False
        raise ReaderGone(f"{self._name}: a signal said to stop")

    def _silence(self) -> None:
        """Point the stream at nothing: Python tries again at exit, and failing twice changes the status."""
        self._silent = True
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nothing:
            if self._stream:
                os.dup2(nothing.fileno(), self._stream.fileno())
