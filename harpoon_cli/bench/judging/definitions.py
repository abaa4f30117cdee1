"""What every figure means, once: its name, unit, formula in words, and vLLM's name for it. Texts only.

`bench --definitions` prints this table; a figure that is not in it is not printed anywhere.
"""

from __future__ import annotations

from enum import StrEnum

from harpoon_cli.values import Struct


class Better(StrEnum):
    """Which way a figure improves."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


class Definition(Struct, frozen=True):
    """One figure. `vllm` is the name of the same thing in vLLM's result file, None where it has none.

    With distribution=True it has percentiles, and `formula` is of one request (of one gap, for `itl`).
    """

    name: str
    title: str
    unit: str
    better: Better
    distribution: bool
    formula: str
    vllm: str | None = None


def _latency(name: str, title: str, formula: str, vllm: str | None = None) -> Definition:
    return Definition(name, title, "ms", Better.LOWER, True, formula, vllm)


def _number(
    name: str, title: str, unit: str, better: Better, formula: str, vllm: str | None = None
) -> Definition:
    return Definition(name, title, unit, better, False, formula, vllm)


DEFINITIONS: tuple[Definition, ...] = (
    _latency(
        "ttft",
        "time to first token",
        "from just before the first byte of the request is written until the first chunk with content, "
        "reasoning or a tool call arrives; an empty role chunk does not count, connecting is not in it",
        "ttft",
    ),
    _latency(
        "ttft_from_intended",
        "time to first token from the intended start",
        "the same end, but from the moment the plan wanted the request sent: queueing and connecting are in "
        "it; only under a plan of times",
    ),
    _latency(
        "itl",
        "inter-token latency: every gap between chunks",
        "the time between two chunks with content that follow each other in one answer; every gap counts, "
        "those of all answers together; chunks are not tokens",
        "itl",
    ),
    _latency(
        "request_mean_gap",
        "mean gap of a request",
        "one value a request: last chunk minus first chunk, over one less than its chunks (other tools "
        "print this as ITL)",
    ),
    _latency(
        "tpot",
        "time per output token after the first",
        "one value a request: (E2E - TTFT) / (output tokens - 1); of answers of two tokens and two chunks "
        "or more",
        "tpot",
    ),
    _latency(
        "e2e",
        "end-to-end latency",
        "from just before the first byte of the request is written until its last chunk with content arrives "
        "(the end of the answer where it has none)",
        "e2el",
    ),
    _latency(
        "e2e_from_intended",
        "end-to-end latency from the intended start",
        "the same end, but from the moment the plan wanted the request sent: queueing and connecting are in "
        "it; only under a plan of times",
        "e2el_including_client_queue",
    ),
    _latency(
        "queueing",
        "queueing before the send",
        "from the intended start (without a plan of times: from when it could have been sent) until the "
        "first byte is written, less connecting",
        "client_queue_time",
    ),
    _latency(
        "lateness",
        "the tool's own lateness",
        "from when the request could have been sent until its first byte is written, less connecting: what "
        "the tool itself adds",
    ),
    _latency("connecting", "connecting", "DNS, connect and TLS of a request that needed a new connection"),
    _latency("dns", "name resolution", "part of connecting"),
    _latency("connect", "TCP connect", "part of connecting"),
    _latency("tls", "TLS handshake", "part of connecting"),
    _latency(
        "first_byte",
        "first byte",
        "from the first byte of the request to the first byte of the answer's head",
    ),
    _latency(
        "read_lag",
        "the tool's lag in reading",
        "one value a request: the longest time between an arrival and its reading; with kernel stamps no "
        "latency has it in it",
    ),
    _number(
        "requests_per_s",
        "requests a second",
        "1/s",
        Better.HIGHER,
        "whole, good answers that ended in the window, over its length",
        "request_throughput",
    ),
    _number(
        "output_tokens_per_s",
        "output tokens a second",
        "tokens/s",
        Better.HIGHER,
        "output tokens of whole, good answers, each answer's spread evenly over its chunks' arrivals in the "
        "window, over its length",
        "output_throughput",
    ),
    _number(
        "total_tokens_per_s",
        "input and output tokens a second",
        "tokens/s",
        Better.HIGHER,
        "the same with the input tokens, which count where the answer ended",
        "total_token_throughput",
    ),
    _number(
        "peak_chunks_per_s",
        "chunks in the fullest second",
        "1/s",
        Better.NEITHER,
        "chunks of whole, good answers in the fullest second of the run's clock",
        "max_output_tokens_per_s",
    ),
    _number(
        "goodput_per_s",
        "goodput",
        "1/s",
        Better.HIGHER,
        "whole, good answers that ended in the window and kept every limit of the SLO themselves (each gap "
        "for itl), over its length",
        "request_goodput",
    ),
    _number(
        "goodput",
        "share of good requests",
        "%",
        Better.HIGHER,
        "requests that kept every limit of the SLO, over all that ended in the window, failed ones included",
    ),
    _number(
        "error_rate",
        "error rate",
        "%",
        Better.LOWER,
        "requests without a whole, good answer, over all that ended in the window",
    ),
    _number(
        "cost_per_request",
        "cost of a request",
        "money",
        Better.LOWER,
        "the price of the lease from the request for it to its release, over the whole, good answers",
    ),
    _number(
        "cost_per_million_output_tokens",
        "cost of a million output tokens",
        "money",
        Better.LOWER,
        "the same price over the output tokens of whole, good answers, for a million",
    ),
    _number(
        "cost_per_million_tokens",
        "cost of a million tokens",
        "money",
        Better.LOWER,
        "the same price over input and output tokens of whole, good answers, for a million",
    ),
)

GENERAL = (
    "Latencies are of whole, good answers. Beside each stands the same percentile with failures as "
    "infinite: every failed request counts as one that never ended (for itl: as one gap that never ended).",
    "A percentile is the smallest value that at least that share does not exceed, from a histogram with "
    "three significant digits.",
    "The confidence bound is the order statistics that enclose the true percentile in 95 of 100 runs "
    "(binomial), for as many independent samples as their bunching in time leaves; where too few are left "
    "for a bound from above, there is no verdict.",
    "The bounds of reading are where a percentile lies if every chunk came as much earlier than its stamp "
    "as the tool's own watch allows: by the kernel's stamps only chunks that shared a read can.",
    "A latency belongs to the second in which its request was to start; a gap to the second in which it "
    "ended.",
    "The window is the steady part of the run where one is marked, otherwise all of it, from the start to "
    "the last answer.",
)
"""What holds for all figures, one sentence each."""

BY_NAME = {definition.name: definition for definition in DEFINITIONS}
