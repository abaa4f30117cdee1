"""Where the process starts: answers --version and TAB before Typer is imported, else hands over to `cli`."""

import gc
import sys

GARBAGE_THRESHOLD = 100_000
"""Objects made before Python looks for garbage among them. Loading a command makes 80 000 that live to the
end: looking through them again and again, and once more when all are let go, was a tenth of its time."""


def main() -> None:
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        status = _run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    gc.freeze()
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        from harpoon_cli import __version__

        sys.stdout.write(f"harpoon {__version__}\n")
        return 0
    if arguments[:1] == ["_complete"]:
        from harpoon_cli.cli.complete import complete

        return complete(arguments[1:])
    from harpoon_cli.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    main()
