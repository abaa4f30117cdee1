"""Prints the table that compares `harpoon bench` with its peers, against a server that knows the truth.

    pip install aiperf aiohttp httpx        (into any environment; PYTHON is its interpreter)
    python benchmarks/peers.py [--peers PYTHON] [--streams 16,64,256,512] [--only TOOL,TOOL]
        [--cells CELL,CELL]

Run it with the python of an environment that harpoon is installed in. The server has one core, each tool
another. TTFT and ITL are what a tool reports beside what the server wrote down of the same requests. A tool
gets as many requests as it needs about 12 s for, and a minute for all else; the whole table takes about ten.
A tool that is not installed is left out, one that fails or does not finish says so in its row. "starved" is
the share of the time in which the server wanted its core and had none: figures of a busy machine compare no
tools. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isnan
from pathlib import Path
from time import monotonic_ns, sleep

from peers_probe import percentile

SERVER = Path(__file__).with_name("bench_truth_server.py")
PROBE = Path(__file__).with_name("peers_probe.py")
SERVER_CORE, CLIENT_CORE = 0, 1
FIRING_S = 12.0
"""A tool gets requests for so long at the pace it is known to have; no more than the case has."""

LONGEST_S = 75.0
"""A tool that has not ended by then, its start and its report included, is ended."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """What a tool is to do: requests in all, with so many at once, or, in place of that, so many a second."""

    name: str
    requests: int
    tokens: int
    streams: int = 64
    rate: float | None = None
    streamed: bool = True
    server: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A load tester: its command line for a case, and the figures in what it wrote (in s, 1/s).

    requests_per_s, tokens_per_s: about what it can do, by which its cells are sized.
    """

    name: str
    line: Callable[[Case, str, Path], list[str]]
    read: Callable[[Path], Figures]
    requests_per_s: float
    tokens_per_s: float

    def sized(self, case: Case) -> Case:
        """The case with no more requests than the tool can do in `FIRING_S`, and one a stream at least."""
        takes_s = 1 / self.requests_per_s + case.tokens / self.tokens_per_s
        return replace(case, requests=min(case.requests, max(round(FIRING_S / takes_s), case.streams)))


class Unfinished(Exception):
    """A tool did not end in time."""


# The server and what it knows.


@dataclass
class Truth:
    """What the server wrote down: starved share, first request, percentiles, and how many were asked."""

    starved: float = 0.0
    first_ns: int = 0
    figures: Figures = field(default_factory=dict)


@contextmanager
def served(case: Case, folder: Path) -> Iterator[tuple[str, Truth]]:
    """The server on its core for one case; what it knows is there once the block has ended."""
    path, found = folder / "truth.jsonl", Truth()
    line = [sys.executable, str(SERVER), "--core", str(SERVER_CORE), "--truth", str(path), *case.server]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LONGEST_S)
        if path.exists():
            read_truth(path, found)


def read_truth(path: Path, found: Truth) -> None:
    head, *rows = (json.loads(line) for line in path.read_text().splitlines())
    found.starved = float(head if isinstance(head, int | float) else next(iter(head.values())))
    found.first_ns = min((row[1] for row in rows), default=0)
    times = [row[1:] for row in rows if len(row) > 2]
    if times:
        first = [row[1] - row[0] for row in times]
        gaps = [after - before for row in times for before, after in pairwise(row[1:])]
        found.figures = {"ttft_p99": percentile(first, 99) / 1e9, "itl_p99": percentile(gaps, 99) / 1e9}


# The tools.


def harpoon_line(case: Case, url: str, out: Path) -> list[str]:
    load = ["--rate", f"{case.rate:g}"] if case.rate else ["--concurrency", str(case.streams)]
    words = [str(Path(sys.executable).with_name("harpoon")), "bench", "--endpoint", url, "-m", "truth", *load]
    stream = [] if case.streamed else ["--no-stream"]
    sizes = ["--requests", str(case.requests), "--input-tokens", "16", "--output-tokens", str(case.tokens)]
    return [*words, *sizes, *stream, "--warmup", "none", "-q", "--save-result", str(out / "result.json")]


def read_vllm(out: Path) -> Figures:
    """A result file in vLLM's names."""
    found = json.loads((out / "result.json").read_text())
    return {
        "requests_per_s": found["request_throughput"],
        "tokens_per_s": found["output_throughput"],
        "ttft_p99": found["p99_ttft_ms"] / 1000,
        "itl_p99": found["p99_itl_ms"] / 1000,
    }


def aiperf_line(python: str) -> Callable[[Case, str, Path], list[str]]:
    def line(case: Case, url: str, out: Path) -> list[str]:
        subprocess.run([python, "-c", TOKENIZER, str(out / "tokenizer")], check=True)
        words = [str(Path(python).with_name("aiperf")), "profile", "-m", "truth"]
        words += ["--tokenizer", str(out / "tokenizer")]
        words += ["--url", url.removesuffix("/v1"), "--endpoint-type", "chat", "--ui", "none"]
        load = ["--request-rate", f"{case.rate:g}"] if case.rate else ["--concurrency", str(case.streams)]
        sizes = ["--request-count", str(case.requests), "--isl", "16", "--osl", str(case.tokens)]
        stream = ["--streaming"] if case.streamed else []
        return [*words, *load, *sizes, *stream, "--use-server-token-count", "--artifact-dir", str(out)]

    return line


TOKENIZER = """
import json, pathlib, sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
made = Tokenizer(models.BPE({letter: place for place, letter in enumerate([*letters, "<end>"])}, []))
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
made.save(str(folder / "tokenizer.json"))
about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>", "bos_token": "<end>"}
(folder / "tokenizer_config.json").write_text(json.dumps(about))
"""
"""Makes a tokenizer of single bytes: a peer that cannot do without one must not have to fetch one."""


def read_aiperf(out: Path) -> Figures:
    found = json.loads(next(out.rglob("profile_export_aiperf.json")).read_text())

    def of(name: str, statistic: str, unit: float) -> float:
        return float((found.get(name) or {}).get(statistic) or "nan") * unit

    return {
        "requests_per_s": of("request_throughput", "avg", 1),
        "tokens_per_s": of("output_token_throughput", "avg", 1),
        "ttft_p99": of("time_to_first_token", "p99", 1e-3),
        "itl_p99": of("inter_chunk_latency", "p99", 1e-3),
    }


def probe_line(python: str, client: str) -> Callable[[Case, str, Path], list[str]]:
    def line(case: Case, url: str, out: Path) -> list[str]:
        words = {**case.__dict__, "url": url, "client": client, "out": str(out / "result.json"), "server": []}
        return [python, str(PROBE), json.dumps(words)]

    return line


def tools(python: str) -> list[Tool]:
    """Those that are installed."""
    there = [Tool("harpoon", harpoon_line, read_vllm, 20_000, 400_000)]
    for client, requests_per_s, tokens_per_s in (("aiohttp", 5_000, 90_000), ("httpx", 137, 7_000)):
        found = subprocess.run([python, "-c", f"import {client}"], capture_output=True)
        if found.returncode == 0:
            line = probe_line(python, client)
            there.append(Tool(f"{client} probe", line, read_vllm, requests_per_s, tokens_per_s))
    if Path(python).with_name("aiperf").exists():
        there.append(Tool("AIPerf", aiperf_line(python), read_aiperf, 200, 7_000))
    return there


# A run of one tool.


def measured(tool: Tool, case: Case) -> tuple[Figures, Truth]:
    """The tool's figures, its own start and peak memory among them, and the truth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(case, folder) as (url, truth):
            began_ns = monotonic_ns()
            peak_mb = peak_of(tool.line(case, url, folder), folder)
        try:
            figures = tool.read(folder)
        except (OSError, ValueError, KeyError, StopIteration) as error:
            last = (folder / "said.txt").read_text(errors="replace").splitlines()[-8:]
            raise RuntimeError(f"{type(error).__name__}: {' / '.join(last)[-600:]}") from error
    figures["peak_mb"] = peak_mb
    figures["start_s"] = (truth.first_ns - began_ns) / 1e9 if truth.first_ns else float("nan")
    return figures, truth


def peak_of(line: list[str], folder: Path) -> float:
    """Run a command line on the clients' core; the most memory that it and its children had, in MB.

    `Unfinished` where it takes too long; it and its children have been ended then.
    """
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            line,
            stdout=said,
            stderr=said,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
            start_new_session=True,
        )
        try:
            return watched(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what it may have left behind
            process.wait()


def watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; see `peak_of`."""
    peak, ends_ns = 0.0, monotonic_ns() + LONGEST_S * 1e9
    while process.poll() is None:
        peak = max(peak, sum(map(shared_mb, family(process.pid))))
        if monotonic_ns() > ends_ns:
            raise Unfinished(f"did not finish in {LONGEST_S:.0f} s")
        sleep(0.2)
    return peak


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = file.read_text().split()
        except OSError:
            continue
        for child in below:
            yield from family(int(child))


def shared_mb(pid: int) -> float:
    """A process's memory, what it shares counted by its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


# The table.


def cases(streams: Sequence[int]) -> list[Case]:
    """What is measured, in the table's order."""
    at_once = ("--itl-ms", "0", "--ttft-ms", "0")
    return [
        Case("requests/s", 40_000, 1, streamed=False, server=at_once),
        Case("token events/s", 6_400, 128, server=(*at_once, "--events-per-write", "16")),
        *(Case(f"{count} streams", count * 20, 64, count) for count in streams),
        Case("open loop at 400/s", 8_000, 8, rate=400.0),
    ]


def row(tool: Tool, every: Sequence[Case]) -> Iterator[str]:
    """A tool's cells."""
    start_s, peak_mb = float("nan"), 0.0
    cells = []
    for case in every:
        try:
            found, truth = measured(tool, tool.sized(case))
        except (RuntimeError, Unfinished) as error:
            cells.append(str(error) if isinstance(error, Unfinished) else "failed")
            print(f"{tool.name}, {case.name}: {error}", file=sys.stderr)
            continue
        start_s = found["start_s"] if isnan(start_s) else start_s
        peak_mb = max(peak_mb, found["peak_mb"])
        cells.append(cell(case, found, truth))
        print(f"{tool.name}, {case.name}: {cells[-1]}; starved {truth.starved:.0%}", file=sys.stderr)
    yield tool.name
    yield from cells
    yield "-" if isnan(start_s) else f"{start_s:.2f} s"
    yield f"{peak_mb:.0f} MB"


def cell(case: Case, found: Figures, truth: Truth) -> str:
    if case.rate:
        return f"{found['requests_per_s']:.0f}/s"
    if case.name.endswith("streams"):
        over = [100 * (found[name] / truth.figures[name] - 1) for name in ("ttft_p99", "itl_p99")]
        return f"{over[0]:+.0f} % / {over[1]:+.0f} %"
    return f"{found['tokens_per_s' if case.streamed else 'requests_per_s']:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="compare harpoon bench with its peers")
    parser.add_argument("--peers", default=sys.executable, help="the python of an environment with the peers")
    parser.add_argument("--streams", default="16,64,256,512")
    parser.add_argument("--only", default="")
    parser.add_argument("--cells", default="", help='as in the head of the table: "requests/s,64 streams"')
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted, cells = (set(filter(None, words.split(","))) for words in (options.only, options.cells))
    every = cases([int(count) for count in options.streams.split(",")])
    every = [case for case in every if not cells or case.name in cells]
    head = [
        f"{case.name}: TTFT p99 / ITL p99 over the truth" if case.name.endswith("streams") else case.name
        for case in every
    ]
    print(f"| tool | {' | '.join(head)} | first request after | peak memory |")
    print(f"|---|{'---:|' * (len(every) + 2)}")
    for tool in tools(options.peers):
        if not wanted or tool.name in wanted:
            print(f"| {' | '.join(row(tool, every))} |", flush=True)


if __name__ == "__main__":
    main()
