"""Prints what a command costs before it does anything: its CPU time over that of `python -c pass`.

    python benchmarks/startup.py [ROUNDS]

Every round runs every command once, so that a change of the machine's speed meets them all; the figures are
medians. Run it with the python of an environment that harpoon is installed in, on a machine with nothing else
to do. It asserts nothing: `tests/test_startup.py` pins what is imported instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

HARPOON = str(Path(sys.executable).with_name("harpoon"))
COMMANDS = {
    "python -c pass": ([sys.executable, "-c", "pass"], None),
    "--version": ([HARPOON, "--version"], 2),
    "_complete leases": ([HARPOON, "_complete", "leases"], 3),
    "_complete pools": ([HARPOON, "_complete", "pools"], 3),
    "_complete models": ([HARPOON, "_complete", "models"], 3),
    "--help": ([HARPOON, "--help"], 9),
    "pools -o json": ([HARPOON, "pools", "-o", "json"], 30),
}
"""Each command line, and how many times `python -c pass` it may cost."""


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as home, served(environment(home)) as environ:
        # The first run of each writes the compiled files, and does not count.
        spent = {name: [cpu_s(line, environ)] for name, (line, _) in COMMANDS.items()}
        for _ in range(rounds):
            for name, (line, _) in COMMANDS.items():
                spent[name].append(cpu_s(line, environ))
    base_s = median(spent["python -c pass"][1:])
    print(f"{'command':<18}{'CPU':>10}{'times':>8}{'bar':>6}   median of {rounds}")
    for name, (_, bar) in COMMANDS.items():
        own_s = median(spent[name][1:])
        print(f"{name:<18}{own_s * 1000:>7.1f} ms{own_s / base_s:>8.2f}{bar or '':>6}")


def environment(home: str) -> dict[str, str]:
    """This one, but for settings of harpoon and what keeps Python from its cache of compiled files."""
    foreign = ("HARPOON_", "HOSTED_AI_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"HOME": home}


@contextmanager
def served(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """The sandbox as a server on loopback, and the environment that names it."""
    server = subprocess.Popen(
        [HARPOON, "sandbox", "serve", "--port", "0"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip().removeprefix("export HOSTED_AI_BASE_URL=")
        key = Path(environ["HOME"], ".local/state/harpoon/sandbox/sandbox.key").read_text()
        yield environ | {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": key.strip()}
    finally:
        server.terminate()
        server.wait()


def cpu_s(line: list[str], environ: dict[str, str]) -> float:
    """User and system time of one run, which must succeed."""
    process = subprocess.Popen(line, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(line)} failed")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
