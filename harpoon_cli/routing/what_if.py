"""Assumptions that a person may make about a decision's inputs: "vram.free=40"; it decides nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation

from harpoon_cli.errors import UsageFault
from harpoon_cli.routing import changes
from harpoon_cli.routing.decision import Inputs
from harpoon_cli.routing.names import nearest
from harpoon_cli.values import Struct, replace

_MODEL = "MODEL"
_LARGEST = 1e9


class Key(Struct, frozen=True):
    """Something that may be assumed: its name, what its value is, and what it makes of the inputs.

    A name that ends in MODEL stands for one key a model; apply is then given the model's name too.
    """

    name: str
    value: str
    whole: bool
    most: float
    apply: Callable[[Inputs, str, Decimal], Inputs]


def _policy(
    field: str, kind: Callable[[Decimal], object] = float
) -> Callable[[Inputs, str, Decimal], Inputs]:
    def apply(inputs: Inputs, _name: str, value: Decimal) -> Inputs:
        changed: dict[str, object] = {field: kind(value)}
        if field == "share":
            changed["quality"] = None
        return replace(inputs, policy=replace(inputs.policy, **changed))

    return apply


def _log_odds(value: Decimal) -> float:
    share = min(max(float(value), 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))


def _threshold(inputs: Inputs, _name: str, value: Decimal) -> Inputs:
    policy = replace(inputs.policy, base=_log_odds(value), share=None, quality=None)
    return replace(inputs, policy=policy)


KEYS = (
    Key("vram.free", "GB of the largest free slice, in every pool", False, 1e6,
        lambda inputs, _, value: changes.with_free_vram(inputs, changes.in_mb(float(value)))),
    Key("tflops.free", "TFLOPS of the largest free slice, in every pool", False, _LARGEST,
        lambda inputs, _, value: changes.with_free_tflops(inputs, float(value))),
    Key("slices.free", "free slices in every pool", True, _LARGEST,
        lambda inputs, _, value: changes.with_free_slices(inputs, int(value))),
    Key("price.hour", "price of an hour, in every pool", False, _LARGEST,
        lambda inputs, _, value: changes.with_hour(inputs, value)),
    Key(f"price.{_MODEL}", "USD for a million tokens of the model", False, _LARGEST, changes.with_tokens_at),
    Key(f"latency.{_MODEL}", "seconds that an answer of the model takes", False, _LARGEST,
        lambda inputs, name, value: changes.with_latency(inputs, name, float(value))),
    Key(f"context.{_MODEL}", "tokens of the model's context", True, _LARGEST,
        lambda inputs, name, value: changes.with_context(inputs, name, int(value))),
    Key("share", "share of usual prompts for a larger model, 0 to 1", False, 1, _policy("share")),
    Key("quality", "share of the large model's gain to win, 0 to 1", False, 1, _policy("quality")),
    Key("threshold", "probability from which a prompt is heavy, 0 to 1", False, 1, _threshold),
    Key("max-tokens", "tokens of the longest answer", True, _LARGEST, _policy("max_tokens", int)),
    Key("max-cost", "ceiling on what the lease may cost", False, _LARGEST, _policy("max_cost", Decimal)),
    Key("deadline", "seconds that an answer may take", False, _LARGEST, _policy("deadline_s")),
)  # fmt: skip
"""Every key there is."""


def described() -> str:
    """The keys in one line."""
    return ", ".join(f"{key.name} ({key.value})" for key in KEYS)


def assume(inputs: Inputs, assumptions: Iterable[str]) -> Inputs:
    """The inputs with each KEY=VALUE put in place of what is so; `UsageFault` names the keys there are."""
    for text in assumptions:
        name, equals, written = text.partition("=")
        if not equals:
            raise UsageFault(f"--what-if {text[:60]!r} is not KEY=VALUE", hint="--what-if vram.free=40")
        key, model = _key(inputs, name.strip())
        if key.name.endswith(".free") and inputs.pools is None:
            raise UsageFault(f"--what-if {name} would do nothing: the platform does not list its pools")
        changed = key.apply(inputs, model, _value(key, name, written))
        inputs = replace(changed, assumed=(*inputs.assumed, text))
    return inputs


def _key(inputs: Inputs, name: str) -> tuple[Key, str]:
    models = {known.model.name for known in inputs.models}
    for key in KEYS:
        start = key.name.removesuffix(_MODEL)
        model = name.removeprefix(start).lower()
        if name == key.name or (key.name != start and name.startswith(start) and model in models):
            return key, model
    asked = name.rpartition(".")[2] if name.startswith(("price.", "latency.", "context.")) else ""
    near = nearest(asked, sorted(models)) if asked else None
    raise UsageFault(f"there is nothing to assume by the name {name[:60]!r}", hint=near or _choices())


def _choices() -> str:
    return f"one of: {', '.join(key.name for key in KEYS)}"


def _value(key: Key, name: str, written: str) -> Decimal:
    try:
        value = Decimal(written.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= Decimal(key.most) or (key.whole and value != int(value)):
        kind = "a whole number" if key.whole else "a number"
        raise UsageFault(f"--what-if {name}={written[:40]!r}: {key.value} is {kind} from 0 to {key.most:g}")
    return value
