"""Where the process starts: answers --version and TAB before Typer is imported, else hands over to `cli`."""

import sys


def main() -> None:
    arguments = sys.argv[1:]
    try:
        sys.exit(_run(arguments))
    except KeyboardInterrupt:
        sys.exit(130)


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
