"""The screen in real processes: terminals, pipes that close, a full disk, poor encodings, start-up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .samples import LEASE, command, environment, run_on_terminal, run_piped

SHOW_POOLS = "finish(Outcome(views=(POOLS,), receipt=Receipt(steps=(Step('list', 0.5),))))"
PIPED_POOLS = (
    "pool_id\tgpu\tslices_free\tusd_per_hour\tstatus\n"
    "pool-l4\tNVIDIA L4\t3/8\t$0.60/h\thealthy\n"
    "pool-h100\tNVIDIA H100\t0/2\t$12.50/h\tfull\n"
)
WAIT_FOR_A_SPINNER = """
class Watched:
    def __init__(self, stream): self.stream, self.drawn = stream, threading.Event()
    def __getattr__(self, name): return getattr(self.stream, name)
    def write(self, text):
        self.stream.write(text)
        if "allocate  " in text: self.drawn.set()
import threading
sys.stderr = Watched(sys.stderr)
"""

needs_a_full_device = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no /dev/full"
)


def test_a_real_terminal_of_80_columns_gets_a_coloured_table_and_its_receipt() -> None:
    shown, status = run_on_terminal(SHOW_POOLS)
    assert shown.startswith("\x1b[1mPools\x1b[0m\n\x1b[1mPool ")
    assert shown.endswith("\x1b[2msteps: \x1b[0mlist 0.50 s\n")
    assert status == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"FORCE_COLOR": "0"}])
def test_a_real_terminal_of_40_columns_gets_blocks_without_colours(env: dict[str, str]) -> None:
    shown, _ = run_on_terminal(SHOW_POOLS, env, columns=40)
    assert shown == (
        "Pools\nPool:   pool-l4\nGPU:    NVIDIA L4\nFree:   3/8\nPrice:  $0.60/h\nStatus: healthy\n\n"
        "Pool:   pool-h100\nGPU:    NVIDIA H100\nFree:   0/2\nPrice:  $12.50/h\nStatus: full\n"
        "steps: list 0.50 s\n"
    )


def test_columns_wins_over_the_width_of_the_terminal() -> None:
    shown, _ = run_on_terminal(SHOW_POOLS, {"COLUMNS": "40", "NO_COLOR": "1"}, columns=200)
    assert "GPU:    NVIDIA L4\n" in shown


def test_a_real_pipe_gets_tsv_and_colours_only_where_forced() -> None:
    assert run_piped(SHOW_POOLS).out == PIPED_POOLS
    assert run_piped(SHOW_POOLS).err == "steps: list 0.50 s\n"
    forced = run_piped(SHOW_POOLS, {"FORCE_COLOR": "1"})
    assert (forced.out, forced.err) == (PIPED_POOLS, "\x1b[2msteps: \x1b[0mlist 0.50 s\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("output", ["table", "tsv", "ids", "json"])
def test_a_poor_encoding_never_fails(encoding: str, output: str) -> None:
    body = f"finish(outcome_of('日 ✓ \\U0001f600 \\x1b'), {output!r})"
    shown = run_piped(body, {"PYTHONIOENCODING": encoding, "COLUMNS": "40"})
    assert shown.out.isascii()
    assert shown.err.isascii()
    assert "\\u65e5" in shown.out
    assert "error: \\u65e5 \\u2713 \\U0001f600 \\x1b" in shown.err
    assert "Traceback" not in shown.err
    assert shown.status == 6


def test_a_spinner_turns_on_a_terminal_and_leaves_one_line() -> None:
    body = WAIT_FOR_A_SPINNER + (
        "watching = screen()\n"
        "with watching.step('allocate'):\n"
        "    sys.stderr.drawn.wait()\n"
        "    watching.note('still here')\n"
        "sys.exit(watching.finish(Outcome(), command='allocate', endpoint=None))\n"
    )
    shown, status = run_on_terminal(body, {"NO_COLOR": "1"})
    assert shown.startswith("\r\x1b[2K⠋ allocate  0.")
    assert "\r\x1b[2Knote: still here\n" in shown
    ended = shown.removesuffix("\n").split("\n")[-1]
    assert re.search(r"(^|\x1b\[2K)✓ allocate  \d\.\d\d s$", ended)
    assert "\x1b[?25l" not in shown  # the cursor is never hidden, so it need not be shown again
    assert status == 0


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_dumb_terminal_gets_no_escape_at_all(env: dict[str, str]) -> None:
    body = (
        "s = screen()\n"
        "with s.step('allocate'):\n"
        "    s.answer('hello')\n"
        "s.answer_end()\n"
        "s.repaint(Outcome(views=(FACTS,)), command='p', endpoint=None)\n"
    )
    shown, _ = run_on_terminal(body, env)
    assert shown == f"hello\nendpoint: sandbox\nlease:    {LEASE}\nanswer:   42\n"


def test_ctrl_c_in_a_step_leaves_no_thread_and_a_clean_line() -> None:
    body = WAIT_FOR_A_SPINNER + (
        "import signal\n"
        "s = screen()\n"
        "try:\n"
        "    with s.step('allocate'):\n"
        "        sys.stderr.drawn.wait()\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print(threading.active_count())\n"
    )
    shown, _ = run_on_terminal(body, {"NO_COLOR": "1"})
    *_, ended, threads = shown.removesuffix("\n").split("\n")
    assert "\r\x1b[2K✗ allocate  0." in ended
    assert threads == "1"


def run_into(stdout: int, body: str) -> tuple[str, int]:
    done = subprocess.run(
        command(body), stdout=stdout, stderr=subprocess.PIPE, env=environment(), timeout=60, text=True
    )
    return done.stderr, done.returncode


BILLING = "finish(Outcome(views=(POOLS,), errors=(MayStillBill('unsure'),)))"


@needs_a_full_device
@pytest.mark.parametrize("output", ["auto", "table", "tsv", "json"])
def test_a_full_disk_is_a_sentence_and_status_1(output: str) -> None:
    with Path("/dev/full").open("wb") as full:
        said, status = run_into(full.fileno(), f"finish(Outcome(views=(POOLS,)), {output!r})")
    assert said == "error: cannot write to standard output: No space left on device\n"
    assert status == 1


@needs_a_full_device
def test_a_full_disk_does_not_hide_a_worse_status() -> None:
    with Path("/dev/full").open("wb") as full:
        said, status = run_into(full.fileno(), "from harpoon_cli.errors import MayStillBill\n" + BILLING)
    assert said == (
        "error: unsure\nhint: harpoon release --overdue\n"
        "error: cannot write to standard output: No space left on device\n"
    )
    assert status == 9


@needs_a_full_device
def test_an_answer_onto_a_full_disk_fails_in_words() -> None:
    body = (
        "from harpoon_cli.errors import HarpoonError\n"
        "s = screen()\n"
        "try:\n"
        "    s.answer('The sky')\n"
        "except HarpoonError as error:\n"
        "    sys.exit(s.finish(Outcome(errors=(error,)), command='infer', endpoint=None))\n"
    )
    with Path("/dev/full").open("wb") as full:
        said, status = run_into(full.fileno(), body)
    assert (said, status) == ("error: cannot write to standard output: No space left on device\n", 1)


def reader_that_left() -> int:
    """The writing end of a pipe whose reading end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(
    ("body", "said", "expected"),
    [
        ("finish(Outcome(views=(POOLS,)))", "", 1),
        ("finish(Outcome())", "", 0),
        (
            "from harpoon_cli.errors import MayStillBill\n" + BILLING,
            "error: unsure\nhint: harpoon release --overdue\n",
            9,
        ),
    ],
)
def test_a_reader_that_left_is_no_news(body: str, said: str, expected: int) -> None:
    writing = reader_that_left()
    assert run_into(writing, body) == (said, expected)
    os.close(writing)


def test_a_reader_that_leaves_an_answer_is_told_to_the_command() -> None:
    body = (
        "from harpoon_cli.render.sink import ReaderGone\n"
        "s = screen()\n"
        "try:\n"
        "    s.answer('The sky')\n"
        "except ReaderGone:\n"
        "    sys.exit(s.finish(Outcome(exit=Exit.FAILED), command='infer', endpoint=None))\n"
    )
    writing = reader_that_left()
    assert run_into(writing, "from harpoon_cli.errors import Exit\n" + body) == ("", 1)
    os.close(writing)


def run_in_shell(redirection: str, body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command(body)],
        capture_output=True,
        env=environment(),
        text=True,
        timeout=60,
    )


def test_a_stdout_closed_from_the_start_is_a_sentence() -> None:
    done = run_in_shell(">&-", "finish(Outcome(views=(POOLS,)))")
    assert done.stderr == "error: cannot write to standard output: it is closed\n"
    assert done.returncode == 1


def test_without_a_stderr_the_data_still_comes() -> None:
    body = (
        "s = screen()\ns.note('x')\nsys.exit(s.finish(Outcome(views=(POOLS,)), command='p', endpoint=None))"
    )
    for redirection in ("2>&-", "2>/dev/full" if Path("/dev/full").exists() else "2>&-"):
        done = run_in_shell(redirection, body)
        assert (done.stdout, done.stderr, done.returncode) == (PIPED_POOLS, "", 0)


def test_a_killed_spinner_leaves_a_terminal_that_works() -> None:
    body = WAIT_FOR_A_SPINNER + (
        "import signal\n"
        "with screen().step('allocate'):\n"
        "    sys.stderr.drawn.wait()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    shown, status = run_on_terminal(body, {"NO_COLOR": "1"})
    assert status == -signal.SIGKILL
    assert "\x1b[?" not in shown


def test_a_resized_terminal_is_painted_anew_at_its_new_width() -> None:
    body = (
        "import fcntl, struct, termios\n"
        "s = screen()\n"
        "s.repaint(Outcome(views=(POOLS,)), command='pools', endpoint=None)\n"
        "fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 40, 0, 0))\n"
        "s.repaint(Outcome(views=(POOLS,)), command='pools', endpoint=None)\n"
    )
    shown, _ = run_on_terminal(body, {"NO_COLOR": "1"})
    first, second = shown.split("\x1b[2J\x1b[H")
    assert "pool-l4    NVIDIA L4" in first
    assert "\x1b[2KGPU:    NVIDIA L4\n" in second


def test_only_a_table_loads_rich() -> None:
    program = (
        "import io, sys\n"
        "from harpoon_cli.render.screen import Screen\n"
        "from harpoon_cli.render.terminal import Terminal\n"
        "from harpoon_cli.render import envelope, words, formats\n"
        "from harpoon_cli.render.outcome import Outcome, Table, Column\n"
        "outcome = Outcome(views=(Table((Column('a', 'A'),), (('1',),)),))\n"
        "for output in (*sorted(set(formats.names()) - {'table'}), 'auto', 'table'):\n"
        "    paper = io.StringIO()\n"
        "    screen = Screen(Terminal(), stdout=paper, stderr=paper, output=output, verbosity=2)\n"
        "    with screen.step('x'): screen.note('y')\n"
        "    screen.finish(outcome, command='pools', endpoint=None)\n"
        "    heavy = {'rich', 'typer', 'httpx', 'pydantic', 'asyncio'} & set(sys.modules)\n"
        "    print(output, *sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "ids\njson\ntsv\nauto\ntable rich\n"
