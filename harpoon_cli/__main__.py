"""Where the process starts: answers --version and TAB before Typer is imported, else hands over to `cli`."""

import gc
import os
import sys
from contextlib import suppress

GARBAGE_THRESHOLD = 100_000
"""Objects made before Python looks for garbage among them. Loading a command makes 80 000 that live to the
end: looking through them again and again, and once more when all are let go, was a tenth of its time."""


def main() -> None:
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        status = _run(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except Exception as error:
        status = _told(error)
    gc.freeze()
    sys.exit(status)


def _told(error: Exception) -> int:
    """The sentence for what no command could catch: output that cannot be written, a broken installation."""
    with suppress(OSError):
        os.write(2, f"error: {error or type(error).__name__}\n".encode())
        # Python would try to write the rest at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
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
