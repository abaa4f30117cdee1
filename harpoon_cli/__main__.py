"""Where the process starts: answers --version and TAB before Typer is imported, else hands over to `cli`.

Whatever happens, a person gets a sentence and no traceback.
"""

import gc
import os
import sys

from harpoon_cli import early

GARBAGE_THRESHOLD = 100_000
"""Objects made before Python looks for garbage among them. Loading a command makes 80 000 that live to the
end: looking through them again and again, and once more when all are let go, was a tenth of its time."""

LAST_THREADS_S = 0.2
"""How long threads may take to end by themselves; one that waits for a name server takes a minute."""


def main() -> None:
    early.listen()
    if not sys.flags.dev_mode:
        sys.unraisablehook = _unheard
    gc.set_threshold(GARBAGE_THRESHOLD)
    status = _status()
    gc.freeze()
    early.ignore()
    if _threads_go_on():
        os._exit(status)
    sys.exit(status)


def _status() -> int:
    try:
        _take_standard_numbers()
        status = _run(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        return _told(error)
    return status


def _unheard(_unraisable: object) -> None:
    """What goes wrong while objects are cleared away harms no result; Python would print a traceback."""


def _take_standard_numbers() -> None:
    """Open what was closed before the start: the next file would have its number, and get our error lines."""
    while None in (sys.stdin, sys.stdout, sys.stderr):
        if (opened := os.open(os.devnull, os.O_RDWR)) > 2:
            os.close(opened)
            return


def _threads_go_on() -> bool:
    threading = sys.modules.get("threading")
    if threading is None:
        return False
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(LAST_THREADS_S)
    return bool(threading.active_count() > 1)


def _told(error: BaseException) -> int:
    """The sentence for what no command could catch: output that cannot be written, a broken installation."""
    from contextlib import suppress

    words = str(error).encode("unicode_escape").decode("ascii") or type(error).__name__
    with suppress(OSError):
        os.write(2, f"error: {words}\n".encode())
    with suppress(OSError):
        # Python would try to write the rest at exit, and fail again.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    return 1


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        from harpoon_cli import __version__

        print(f"harpoon {__version__}")  # noqa: T201 - nothing of render is loaded for this
        return 0
    if arguments[:1] == ["_complete"]:
        from harpoon_cli.cli.complete import complete

        return complete(arguments[1:])
    from harpoon_cli.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    main()
