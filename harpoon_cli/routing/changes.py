"""The inputs of a decision with one thing changed; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import ceil

from harpoon_cli.domain import Model, Pool, Price
from harpoon_cli.routing.decision import Inputs, Known
from harpoon_cli.values import replace

MB_PER_GB = 1024


def with_free_vram(inputs: Inputs, megabytes: int) -> Inputs:
    """The largest slice that each pool can give now has this much memory."""
    return _with_pools(inputs, lambda pool: replace(pool, gpu_vram_mb=megabytes, vram_free_mb=megabytes))


def with_free_tflops(inputs: Inputs, tflops: float) -> Inputs:
    """The same for compute."""
    return _with_pools(inputs, lambda pool: replace(pool, gpu_tflops=tflops, tflops_free=tflops))


def with_free_slices(inputs: Inputs, slices: int) -> Inputs:
    """Each pool has so many slices free."""
    return _with_pools(inputs, lambda pool: replace(pool, free_slices=slices))


def with_hour(inputs: Inputs, amount: Decimal) -> Inputs:
    """An hour costs this in each pool, in its currency (USD where it names no price)."""

    def priced(pool: Pool) -> Pool:
        return replace(pool, price=Price(amount, pool.price.currency if pool.price else "USD"))

    return _with_pools(inputs, priced)


def with_hours_times(inputs: Inputs, factor: float) -> Inputs:
    """An hour costs so many times as much in each pool that names a price."""

    def priced(pool: Pool) -> Pool:
        price = pool.price
        return replace(pool, price=replace(price, per_hour=_times(price.per_hour, factor))) if price else pool

    return _with_pools(inputs, priced)


def with_tokens_at(inputs: Inputs, name: str, usd_per_million: Decimal) -> Inputs:
    """A million tokens of a model cost this, read or written."""
    return _with_model(
        inputs,
        name,
        lambda model: replace(
            model, usd_per_million_input=usd_per_million, usd_per_million_output=usd_per_million
        ),
    )


def with_tokens_times(inputs: Inputs, name: str, factor: float) -> Inputs:
    """The tokens of a model cost so many times as much, where their price is known."""

    def priced(model: Model) -> Model:
        read, written = model.usd_per_million_input, model.usd_per_million_output
        return replace(
            model,
            usd_per_million_input=None if read is None else _times(read, factor),
            usd_per_million_output=None if written is None else _times(written, factor),
        )

    return _with_model(inputs, name, priced)


def with_latency(inputs: Inputs, name: str, seconds: float) -> Inputs:
    """An answer of a model takes so long."""
    return _with_known(inputs, name, lambda known: replace(known, latency_s=seconds))


def with_context(inputs: Inputs, name: str, tokens: int) -> Inputs:
    """A model's context has so many tokens."""
    return _with_model(inputs, name, lambda model: replace(model, context_tokens=tokens))


def with_share(inputs: Inputs, share: float) -> Inputs:
    """So large a share of usual prompts is to go to a larger model."""
    return replace(inputs, policy=replace(inputs.policy, share=share, quality=None))


def with_text(inputs: Inputs, text: str) -> Inputs:
    """Another prompt."""
    return replace(inputs, prompt=replace(inputs.prompt, text=text))


def in_mb(gigabytes: float) -> int:
    """Whole MB, none less than asked for."""
    return ceil(gigabytes * MB_PER_GB)


def _times(amount: Decimal, factor: float) -> Decimal:
    return amount * Decimal(repr(factor))


def _with_pools(inputs: Inputs, change: Callable[[Pool], Pool]) -> Inputs:
    return replace(inputs, pools=None if inputs.pools is None else tuple(map(change, inputs.pools)))


def _with_model(inputs: Inputs, name: str, change: Callable[[Model], Model]) -> Inputs:
    return _with_known(inputs, name, lambda known: replace(known, model=change(known.model)))


def _with_known(inputs: Inputs, name: str, change: Callable[[Known], Known]) -> Inputs:
    return replace(
        inputs, models=tuple(change(known) if known.model.name == name else known for known in inputs.models)
    )
