"""The result under the names of vLLM's benchmark, for the scripts that read its files.

Keys, units and meaning follow `vllm bench serve --save-result` of 0.33: `_ms` in milliseconds, arrays of
requests and `duration` in seconds, latencies of successes only, over the whole run. Three things differ, and
only in the better: percentiles come from a histogram with three digits, not from interpolation;
`max_concurrent_requests` is what was really under way at once (without rows: at the ends of slices); texts of
answers are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate

from harpoon_cli.bench.judging.figures import Distribution, Figures
from harpoon_cli.bench.judging.report import Report, RunFacts
from harpoon_cli.bench.recording.request_rows import Row, read_rows
from harpoon_cli.bench.reports import Source

WANTS_ROWS = True

_LATENCIES = {
    "ttft": "ttft",
    "tpot": "tpot",
    "itl": "itl",
    "e2el": "e2e",
    "client_queue_time": "queueing",
    "e2el_including_client_queue": "e2e_from_intended",
}
"""vLLM's name and ours. Queueing is there twice over: it has no successes, only requests that left."""


def pieces(source: Source) -> Iterator[str]:
    """One JSON object, as vLLM writes it: on one line."""
    report = source.report
    rows = read_rows(source.rows)
    result: dict[str, object] = {**_about(report.run, len(rows)), **report.run.metadata}
    result |= _load(report.run) | _totals(report.whole)
    result["max_output_tokens_per_s"] = float(report.whole.rates.peak_chunks_per_s)
    result["max_concurrent_requests"] = _most_at_once(rows) or _most_seen(report)
    result["rtfx"] = 0.0
    for theirs, ours in _LATENCIES.items():
        if theirs in ("ttft", "tpot", "itl") or ours in report.whole.latencies:
            result |= _latency(theirs, report.whole.latencies.get(ours))
    if rows:
        result |= _arrays(rows, detailed=source.detailed)
    yield json.dumps(result, allow_nan=False) + "\n"


def _about(run: RunFacts, rows: int) -> dict[str, object]:
    return {
        "date": run.started_at.astimezone().strftime("%Y%m%d-%H%M%S"),
        "endpoint_type": run.dialect,
        "backend": run.dialect,
        "label": run.label,
        "model_id": run.model,
        "tokenizer_id": run.tokenizer,
        "num_prompts": rows if run.requests is None else run.requests,
    }


def _load(run: RunFacts) -> dict[str, object]:
    return {
        "request_rate": "inf" if run.request_rate is None else run.request_rate,
        "burstiness": 1.0 if run.burstiness is None else run.burstiness,
        "max_concurrency": run.max_concurrency,
    }


def _totals(whole: Figures) -> dict[str, object]:
    return {
        "duration": whole.to_s - whole.from_s,
        "completed": whole.completed,
        "failed": whole.failed,
        "total_input_tokens": whole.input_tokens,
        "total_output_tokens": whole.output_tokens,
        "request_throughput": whole.rates.requests_per_s,
        "request_goodput": whole.rates.goodput_per_s,
        "output_throughput": whole.rates.output_tokens_per_s,
        "total_token_throughput": whole.rates.total_tokens_per_s,
    }


def _latency(name: str, distribution: Distribution | None) -> dict[str, object]:
    if distribution is None:
        return {f"{kind}_{name}_ms": 0.0 for kind in ("mean", "median", "std", "p99")}
    found: dict[str, object] = {
        f"mean_{name}_ms": distribution.mean_ms or 0.0,
        f"std_{name}_ms": distribution.deviation_ms or 0.0,
    }
    for one in distribution.percentiles:
        kind = "median" if one.percent == 50 else f"p{one.percent:g}"
        found[f"{kind}_{name}_ms"] = one.ms or 0.0
    return found


def _most_at_once(rows: Sequence[Row]) -> int:
    """Exactly, by sweeping over starts and ends; an end comes before a start of the same moment."""
    changes = [(row.sent_s, 1) for row in rows] + [(max(row.done_s, row.sent_s), -1) for row in rows]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def _most_seen(report: Report) -> int:
    """The most that were under way at the end of a slice."""
    return max((moment.in_flight for moment in report.timeline), default=0)


def _arrays(rows: Sequence[Row], *, detailed: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "latencies": [row.e2e_s for row in rows],
        "queue_times": [row.queueing_s for row in rows],
    }
    if detailed:
        found |= {
            "input_lens": [row.input_tokens for row in rows],
            "output_lens": [row.output_tokens for row in rows],
            "ttfts": [row.ttft_s for row in rows],
            "itls": [row.gaps_s for row in rows],
            "start_times": [row.sent_s for row in rows],
            "generated_texts": ["" for _ in rows],
            "errors": [row.error for row in rows],
        }
    return found
