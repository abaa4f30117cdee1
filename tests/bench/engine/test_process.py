"""Engine processes that are forked: in a process without threads, which the tests' own is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harpoon_cli.bench.engine.process import EngineProcess
from tests.bench.engine.range import CHAT, served
from tests.servers import always, stream

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="engines are forked on Linux only")

FIRE = """
import asyncio, os, sys
from functools import partial
from harpoon_cli.bench.engine import process
from harpoon_cli.bench.engine.crew import fire_apart
from harpoon_cli.bench.engine.errand import Errand, samples_in
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.recording.sample import Ask, Message, Shot

def shots():
    return [Shot(Ask(index, (Message("user", "hello"),), 8, "a-model"), None) for index in range(40)]

forks, fork, samples = [], os.fork, []
def noted():
    pid = fork()
    forks.append(pid)
    return pid
os.fork = noted

held = os.open(os.devnull, os.O_RDONLY)
SHOTS
errand = Errand(Target("127.0.0.1", int(sys.argv[1]), "/v1/chat/completions", "openai"), made,
    deadline_s=10, concurrency=4)
packets = lambda packet: samples.extend(samples_in(packet))
ended = asyncio.run(fire_apart([errand, errand], packets, stop=asyncio.Event()))
print(len(forks), sorted(sample.index for sample in samples) == sorted([*range(40)] * 2), *ended)
"""


def fired(port: int, shots: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that fires by two engines; prints how many it forked and what became of them."""
    line = [sys.executable, "-c", FIRE.replace("SHOTS", shots), str(port)]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=60)


def test_a_process_without_threads_forks_its_engines_and_gets_every_sample() -> None:
    with served(always(stream(*CHAT))) as server:
        told = fired(server.port, "made = shots")
    assert told.stderr == ""
    assert told.stdout.startswith("2 True Watch(")


def test_an_engine_has_no_file_of_its_parents_open_but_its_errors() -> None:
    looking = """
def made():
    names = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, held)}
    os.write(2, repr(names).encode())
    return shots()
"""
    with served(always(stream(*CHAT))) as server:
        told = fired(server.port, looking)
    assert told.stderr == "{'/dev/null'}" * 2
    assert told.stdout.startswith("2 True Watch(")


def test_an_engine_that_fails_says_why_and_is_lost_and_does_nothing_else_of_its_parents() -> None:
    with served(always(stream(*CHAT))) as server:
        told = fired(server.port, "def made(): raise ZeroDivisionError('no shots')")
    assert told.stderr == "error: an engine process failed: ZeroDivisionError: no shots\n" * 2
    assert told.stdout == "2 False" + " Lost(status=1, hung=False)" * 2 + "\n"


def test_a_process_with_threads_starts_new_interpreters() -> None:
    threads = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    with served(always(stream(*CHAT))) as server:
        told = fired(server.port, f"{threads}made = partial(list, ())")
    assert told.stderr == ""
    assert told.stdout.startswith("0 False Watch(")


def test_a_signal_to_the_whole_group_ends_no_engine_before_its_parent_says_so() -> None:
    signalled = """
import signal
def made():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return shots()
"""
    with served(always(stream(*CHAT))) as server:
        forked = fired(server.port, signalled)
    assert forked.stdout.startswith("2 True Watch("), forked.stderr


def test_a_process_that_was_waited_for_is_not_killed_since_its_number_may_be_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: killed.append(pid))
    ends = iter([-9])
    one = EngineProcess(1_234, -1, -1, lambda: next(ends))
    assert (one.wait(), one.wait()) == (-9, -9)
    one.end()
    assert killed == []
