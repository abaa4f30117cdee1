"""What a careful person writes in an afternoon to load-test a server, with aiohttp or httpx; see `peers`.

python benchmarks/peers_probe.py CASE       (JSON, as `peers` writes it)
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic_ns

MS = 1e6

Figures = dict[str, float]


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent * 10) // 1000) - 1)] if ordered else float("nan")


async def probe(given: dict[str, object]) -> Figures:
    """Send a case's requests with aiohttp or httpx; gives the figures under vLLM's names."""
    ask = aiohttp_ask if given["client"] == "aiohttp" else httpx_ask
    numbers, tasks = iter(range(int(str(given["requests"])))), list[asyncio.Task[None]]()
    samples: list[list[int]] = []
    async with ask(str(given["url"]), bool(given["streamed"]), int(str(given["tokens"]))) as one:
        began_ns = monotonic_ns()

        async def place() -> None:
            for number in numbers:
                samples.append(await one(number))

        async def dated(number: int, due_ns: float) -> None:
            await asyncio.sleep(max(0.0, (due_ns - monotonic_ns()) / 1e9))
            samples.append(await one(number))

        if (rate := given["rate"]) is not None:
            gap_ns = 1e9 / float(str(rate))
            tasks += [asyncio.create_task(dated(at, began_ns + at * gap_ns)) for at in numbers]
        else:
            tasks += [asyncio.create_task(place()) for _ in range(int(str(given["streams"])))]
        await asyncio.gather(*tasks)
        lasted_s = (monotonic_ns() - began_ns) / 1e9
    first = [(times[1] - times[0]) / MS for times in samples if len(times) > 1]
    gaps = [(after - before) / MS for times in samples for before, after in pairwise(times[1:])]
    return {
        "request_throughput": len(samples) / lasted_s,
        "output_throughput": len(samples) * int(str(given["tokens"])) / lasted_s,
        "p99_ttft_ms": percentile(first, 99),
        "p99_itl_ms": percentile(gaps, 99),
    }


def body_of(number: int, tokens: int, *, streamed: bool) -> dict[str, object]:
    messages = [{"role": "user", "content": f"{number} is the number of this request"}]
    return {"model": "truth", "messages": messages, "max_tokens": tokens, "stream": streamed}


def aiohttp_ask(url: str, streamed: bool, tokens: int):  # type: ignore[no-untyped-def]  # runs without mypy's stubs
    import aiohttp  # type: ignore[import-not-found,unused-ignore]  # a peer's environment has it

    @asynccontextmanager
    async def opened():  # type: ignore[no-untyped-def]  # as above
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(number: int) -> list[int]:
                times = [monotonic_ns()]
                body = body_of(number, tokens, streamed=streamed)
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    async for line in answer.content:
                        note(line, times)
                return times

            yield one

    return opened()


def httpx_ask(url: str, streamed: bool, tokens: int):  # type: ignore[no-untyped-def]  # as above
    import httpx

    @asynccontextmanager
    async def opened():  # type: ignore[no-untyped-def]  # as above
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=None) as client:

            async def one(number: int) -> list[int]:
                times = [monotonic_ns()]
                body = body_of(number, tokens, streamed=streamed)
                async with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
                    async for line in answer.aiter_lines():
                        note(line.encode(), times)
                return times

            yield one

    return opened()


def note(line: bytes, times: list[int]) -> None:
    """Stamp a line of a stream that has content."""
    at_ns = monotonic_ns()
    if line.startswith(b"data: {"):
        choices = json.loads(line[6:]).get("choices") or [{}]
        if choices[0].get("delta", {}).get("content"):
            times.append(at_ns)


def main(words: list[str]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    given = json.loads(words[0])
    Path(given["out"]).write_text(json.dumps(asyncio.run(probe(given))))


if __name__ == "__main__":
    main(sys.argv[1:])
