"""The model and the cache of its tokens must fit the largest free slice."""

from __future__ import annotations

from harpoon_cli.domain import Pool, Requirements
from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, cache_mb, judged_pools, needs, obstacles

_UNKNOWN = f"{NOT_KNOWN} how large a slice is free"


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    need = _need(candidate, question)
    if not candidate.pools:
        return Verdict.PASSED, f"{need}; {_UNKNOWN}"
    wanted = Requirements(vram_mb=needs(candidate, question).vram_mb, tflops=0.0)
    pools = judged_pools(candidate, question)
    sizes = {pool.id: size for pool in pools if (size := _largest_free_mb(pool)) is not None}
    where, largest = max(sizes.items(), key=lambda one: one[1], default=("", 0))
    if sizes and wanted.vram_mb <= largest:
        return Verdict.PASSED, f"{need} are within the largest free slice, {largest} MB in {where}"
    if len(sizes) < len(pools) or not pools:
        return Verdict.PASSED, f"{need}; {_UNKNOWN}"
    if any(not pool.obstacles(wanted, now=False) for pool in pools):
        return Verdict.NOT_NOW, f"{need} exceed the largest free slice, {largest} MB in {where}"
    return Verdict.NEVER, f"no card is large enough for {need}: {obstacles(pools, wanted, now=False)}"


def _need(candidate: Candidate, question: Question) -> str:
    cache = cache_mb(candidate, question)
    kept = f"{cache} MB of cache" if cache is not None else f"a cache whose size is {NOT_KNOWN}"
    return f"{candidate.model.vram_mb} MB of model and {kept}"


def _largest_free_mb(pool: Pool) -> int | None:
    """The largest slice that a pool can give now: at most one card, and at most what is free."""
    known = [size for size in (pool.gpu_vram_mb, pool.vram_free_mb) if size is not None]
    return min(known, default=None)


GATE = Gate("vram", _judge)
