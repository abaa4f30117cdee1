"""What INT, TERM and HUP do while no command listens to them: they end the process at once, without a word.

Loaded before everything else, so that Ctrl-C amid the imports leaves no traceback; it may import nothing that
costs time.
"""

# What `signal` wraps in enums, and those would cost as much as all else of --version.
import _signal  # type: ignore[import-not-found]  # typeshed has only the wrapper
import os

SIGNALS = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)

_told: int | None = None


def listen() -> None:
    """From here on one of the signals is status 128 + its number. What is ignored (nohup) stays so.

    A Ctrl-C that `launcher/bin/harpoon` has held back takes effect.
    """
    for number in SIGNALS:
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, _end)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))


def stand_by(status: int) -> None:
    """A command has told its result: a signal may cut short what is left, and changes no status."""
    global _told
    _told = status


def ignore() -> None:
    """For the interpreter's own last moments, which would bring back what kills with a status of its own."""
    for number in SIGNALS:
        _signal.signal(number, _signal.SIG_IGN)


def _end(number: int, _frame: object) -> None:
    os._exit(128 + number if _told is None else _told)
