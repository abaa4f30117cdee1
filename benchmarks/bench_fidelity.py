"""Prints how true and how fast the load engine is: the truth server on one core, the engine on another.

    python benchmarks/bench_fidelity.py [--streams 16,64,256,512,1024] [--rounds N] [--read] [--only NAME]

Every figure is taken in a process of its own. "bare" is an `asyncio.Protocol` that counts bytes, in the same
run: what Python's own loop allows before anything is measured. "starved" is the share of a run in which the
engine (or the server, if that is more) wanted its core and others had it. On a busy machine only figures by
CPU second compare; with --rounds each figure is taken so often, and the round that was starved least is
printed, whatever its figure. --read takes arrivals from the read callback instead of the kernel. It asserts
nothing. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic_ns, process_time, sleep

SERVER = Path(__file__).with_name("bench_truth_server.py")
SERVER_CORE, CLIENT_CORE = 0, 1
MS = 1_000_000

Result = dict[str, float]

UNSTARVED = 0.02
"""A share that spoils nothing."""

HEAD = """\
p99, ms ------------ TTFT ------------  ------------- ITL ------------  token seen late  read late
streams      true      ours       over       true      ours       over       p99      most      p99"""
HEAD += "    bound  merged starved     MB failed"


# The client's processes. They import as little as the engine does, since that is measured too.


def client(words: list[str]) -> Result:
    """Fire at a server as told; gives the figures. Runs on its own core."""
    given = json.loads(words[0])
    os.sched_setaffinity(0, {CLIENT_CORE})
    found: Result = bare(given) if given["mode"] == "bare" else engine(given)
    # The kernel's ru_maxrss begins with that of the process that this one was forked from.
    _, _, high_water = Path("/proc/self/status").read_text().partition("VmHWM:")
    found["rss_mb"] = int(high_water.split()[0]) / 1024
    return found


def engine(given: dict[str, object]) -> Result:
    from harpoon_cli.bench.engine.fire import fire
    from harpoon_cli.bench.engine.target import Target
    from harpoon_cli.bench.recording.sample import Ask, Message, Sample, Shot

    count, tokens, rate = given["count"], given["tokens"], given["rate"]
    assert isinstance(count, int)
    assert isinstance(tokens, int)
    assert isinstance(rate, float | None)
    samples: list[Sample] = []
    shots = (
        Shot(
            Ask(index, (Message("user", f"request {index}"),), tokens, "truth"),
            index / rate if rate else None,
        )
        for index in range(count)
    )
    target = Target(
        "127.0.0.1", int(str(given["port"])), "/v1/chat/completions", "openai", bool(given["stream"])
    )
    cpu_s = process_time()
    watch = fire(
        target,
        shots,
        samples.append,
        concurrency=None if rate else int(str(given["streams"])),
        deadline_s=60,
        kernel_stamps=bool(given["kernel"]),
    )
    cpu_s = process_time() - cpu_s
    good = [sample for sample in samples if sample.error is None and sample.sent_ns is not None]
    first_ns = min(sample.sent_ns or 0 for sample in good) + watch.start_ns
    ended_s = max(sample.done_ns or 0 for sample in good) / 1e9
    sent = sorted((sample.sent_ns or 0) for sample in good)
    late = [(sample.sent_ns or 0) - sample.intended_ns for sample in good if sample.intended_ns is not None]
    ttft = [sample.chunk_ns[0] - (sample.sent_ns or 0) for sample in good if sample.chunk_ns]
    gaps = [after - before for sample in good for before, after in pairwise(sample.chunk_ns)]
    if given["truth"]:
        arrived = {sample.index: [at + watch.start_ns for at in sample.chunk_ns] for sample in good}
        Path(str(given["truth"])).write_text(json.dumps(arrived))
    return {
        "failed": len(samples) - len(good),
        "wall_s": ended_s,
        "cpu_s": cpu_s,
        "requests": len(good),
        "events": sum(len(sample.chunk_ns) for sample in good),
        "achieved": (len(sent) - 1) / ((sent[-1] - sent[0]) / 1e9) if len(sent) > 1 else 0.0,
        "late_p99_ms": p99(late) / MS,
        "ttft_p99_ms": p99(ttft) / MS,
        "itl_p99_ms": p99(gaps) / MS,
        "first_s": (first_ns - int(str(given["spawned_ns"]))) / 1e9,
        "lag_p99_ms": (watch.lag.ranks().percentile(990_000) or 0) / MS,
        "bound_ms": watch.error_bound_ns / MS,
        "merged": watch.merged / max(watch.chunks, 1),
        "starved": watch.starved_share or 0.0,
    }


def bare(given: dict[str, object]) -> Result:
    """The same load by an `asyncio.Protocol` that looks only for the end of each answer."""
    from harpoon_cli.bench.engine.watch import starved_ns

    streams, count, tokens = (int(str(given[name])) for name in ("streams", "count", "tokens"))
    stream = bool(given["stream"])
    body = json.dumps(
        {
            "model": "truth",
            "messages": [{"role": "user", "content": "request 1"}],
            "max_tokens": tokens,
            "stream": stream,
        }
    ).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
    end = b"0\r\n\r\n" if stream else b"}"
    counted = {"requests": 0, "begun": 0, "events": 0}

    async def drive() -> None:
        over = asyncio.get_running_loop().create_future()

        class Counter(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                self.transport = transport
                self.ask()

            def ask(self) -> None:
                if counted["begun"] < count:
                    counted["begun"] += 1
                    self.transport.write(request)

            def data_received(self, data: bytes) -> None:
                counted["events"] += data.count(b"data: ")
                if data.endswith(end):
                    counted["requests"] += 1
                    if counted["requests"] == count and not over.done():
                        over.set_result(None)
                    self.ask()

        loop = asyncio.get_running_loop()
        for _ in range(streams):
            await loop.create_connection(Counter, "127.0.0.1", int(str(given["port"])))
        await over

    cpu_s, wall_ns, starved = process_time(), monotonic_ns(), starved_ns() or 0
    asyncio.run(drive())
    return {
        "starved": ((starved_ns() or 0) - starved) / (monotonic_ns() - wall_ns),
        "cpu_s": process_time() - cpu_s,
        "wall_s": (monotonic_ns() - wall_ns) / 1e9,
        "requests": count,
        "events": counted["events"],
    }


def p99(values: Sequence[int]) -> float:
    """The smallest value that 99 % do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return float(ordered[-(-99 * len(ordered) // 100) - 1]) if ordered else 0.0


# The script itself.


@contextmanager
def serving(*options: str) -> Iterator[int]:
    """A truth server, and its port."""
    line = [sys.executable, str(SERVER), "--core", str(SERVER_CORE), *options]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline().rsplit(":", 1)[1].split("/")[0])
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def measured(
    port: int,
    count: int,
    *,
    mode: str = "engine",
    streams: int = 64,
    tokens: int = 1,
    stream: bool = True,
    rate: float | None = None,
    kernel: bool = True,
    truth: str = "",
) -> Result:
    """The figures of one client process."""
    given = {
        "mode": mode,
        "port": port,
        "count": count,
        "streams": streams,
        "tokens": tokens,
        "stream": stream,
        "rate": rate,
        "kernel": kernel,
        "truth": truth,
        "spawned_ns": monotonic_ns(),
    }
    line = [sys.executable, __file__, "client", json.dumps(given)]
    found: Result = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    return found


def true_figures(truth: Path, arrived: Path) -> Result:
    """What the server knows, and how long after it each token was said to arrive."""
    seen = {int(index): times for index, times in json.loads(arrived.read_text()).items()}
    share, *requests = truth.read_text().splitlines()
    ttft, gaps, late = [], [], []
    for line in requests:
        number, received, *sent = json.loads(line)
        ttft.append(sent[0] - received)
        gaps += [after - before for before, after in pairwise(sent)]
        late += [mine - theirs for mine, theirs in zip(seen.get(number, ()), sent, strict=False)]
    return {
        "ttft_p99_ms": p99(ttft) / MS,
        "itl_p99_ms": p99(gaps) / MS,
        "late_p99_ms": p99(late) / MS,
        "late_most_ms": max(late) / MS,
        "starved": json.loads(share),
    }


Round = tuple[float, str]
"""How starved it was, and its line of the table."""


def fidelity(streams: int, *, kernel: bool) -> Round:
    with tempfile.TemporaryDirectory() as folder:
        truth, arrived = Path(folder, "truth"), Path(folder, "arrived")
        with serving("--truth", str(truth)) as port:
            count = max(3 * streams, 200)
            ours = measured(port, count, streams=streams, tokens=64, kernel=kernel, truth=str(arrived))
        true = true_figures(truth, arrived)
    starved = max(ours["starved"], true["starved"])
    cells = [f"{streams:>7}"]
    for name in ("ttft_p99_ms", "itl_p99_ms"):
        over = (ours[name] / true[name] - 1) * 100
        cells += [f"{true[name]:>9.2f}", f"{ours[name]:>9.2f}", f"{over:>+7.2f} %"]
    cells += [f"{true['late_p99_ms']:>9.3f}", f"{true['late_most_ms']:>9.3f}", f"{ours['lag_p99_ms']:>8.2f}"]
    cells += [f"{ours['bound_ms']:>8.3f}", f"{ours['merged']:>7.2%}", f"{starved:>7.1%}"]
    return starved, " ".join([*cells, f"{ours['rss_mb']:>6.0f}", f"{ours['failed']:>6.0f}"])


def throughput(what: str, mode: str, count: int, *, stream: bool, tokens: int) -> Round:
    with serving("--itl-ms", "0") as port:
        found = measured(port, count, mode=mode, tokens=tokens, stream=stream)
    done = found["events"] if stream else found["requests"]
    cells = [f"{what:<16}", f"{mode:<8}", f"{done / found['wall_s']:>11,.0f}"]
    cells += [f"{done / found['cpu_s']:>16,.0f}", f"{found['starved']:>9.1%}", f"{found['rss_mb']:>6.0f}"]
    return found["starved"], " ".join(cells)


def open_loop(rate: float) -> Round:
    with serving("--itl-ms", "0") as port:
        found = measured(port, round(rate * 5), rate=rate, stream=False)
    achieved = found["achieved"]
    cells = [f"{rate:>9,.0f}", f"{achieved:>10,.1f}", f"{achieved / rate:>8.2%}"]
    cells += [f"{found['late_p99_ms']:>10.3f}", f"{found['first_s']:>10.3f}", f"{found['rss_mb']:>7.0f}"]
    return found["starved"], " ".join([*cells, f"{found['starved']:>9.1%}", f"{found['failed']:>7.0f}"])


def show(rounds: int, figure: Callable[[], Round]) -> None:
    """Print the least starved of so many rounds; ends early where one was not starved at all."""
    best: Round = (2.0, "")
    for _ in range(rounds):
        best = min(best, figure())
        if best[0] < UNSTARVED:
            break
        sleep(0.2)
    print(best[1], flush=True)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", default="16,64,256,512,1024")
    parser.add_argument("--rounds", type=int, default=1, help="take each figure so often")
    parser.add_argument("--read", action="store_true", help="time stamps from the read callback")
    parser.add_argument("--only", choices=("fidelity", "throughput", "open"))
    options = parser.parse_args(words)
    if options.only in (None, "fidelity"):
        print(HEAD)
        for streams in map(int, options.streams.split(",")):
            show(options.rounds, partial(fidelity, streams, kernel=not options.read))
    if options.only in (None, "throughput"):
        print("\n64 connections   by       per second   per CPU second   starved     MB")
        for mode in ("bare", "engine"):
            show(options.rounds, partial(throughput, "requests", mode, 40_000, stream=False, tokens=1))
        for mode in ("bare", "engine"):
            show(options.rounds, partial(throughput, "token events", mode, 4_000, stream=True, tokens=128))
    if options.only in (None, "open"):
        print("\nplanned/s  achieved/s            late p99   first, s      MB   starved  failed")
        for rate in (400.0, 2000.0):
            show(options.rounds, partial(open_loop, rate))


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        print(json.dumps(client(sys.argv[2:])))
    else:
        main(sys.argv[1:])
