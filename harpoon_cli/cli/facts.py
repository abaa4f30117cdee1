"""What is known now for a routing decision: the policy, and each model's pools, latency and breaker."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from harpoon_cli.catalogue import Catalogue
from harpoon_cli.cli import latencies
from harpoon_cli.cli.connect import guard, health_file, routing_base
from harpoon_cli.cli.session import Session
from harpoon_cli.client import breaker
from harpoon_cli.client.breaker import Phase, Rules
from harpoon_cli.domain import Pool, Prompt
from harpoon_cli.routing.decision import Inputs, Known, Policy
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.paths import state_dir
from harpoon_cli.values import replace


def policy_of(settings: Settings, catalogue: Catalogue) -> Policy:
    """The configured policy; `NoSuchModel` where it names a model that there is not."""
    routing = settings.routing
    allow = routing.allow or (routing.small, routing.large)
    return Policy(
        allow=_names(catalogue, allow),
        deny=_names(catalogue, routing.deny or ()),
        max_tokens=routing.max_tokens,
        base=routing_base(settings),
        share=routing.share,
        quality=routing.quality,
        usd_per_log_odds=routing.usd_per_log_odds,
        s_per_log_odds=routing.s_per_log_odds,
        regions=routing.regions or (),
        max_cost=settings.lease.max_cost,
        deadline_s=settings.http.inference_s,
    )


def _names(catalogue: Catalogue, names: Sequence[str]) -> tuple[str, ...]:
    """Each once, as the catalogue writes it."""
    return tuple(dict.fromkeys(catalogue.find(name).name for name in names))


def inputs_of(
    session: Session, prompt: Prompt, policy: Policy, pools: tuple[Pool, ...] | None, *, held: bool = False
) -> Inputs:
    """What the decision about a prompt is made of: all models of the catalogue, and what is known now."""
    predicted = latencies.predicted(session.account)
    shut_s = breaker_shut_s(session.settings)
    models = session.catalogue.models.values()
    return Inputs(
        prompt=prompt,
        # Nothing is paid for a lease that is held already.
        policy=replace(policy, max_cost=None) if held else policy,
        models=tuple(Known(model, predicted.get(model.name), shut_s) for model in models),
        pools=None if pools is None else tuple(_looked_at(pool) for pool in pools),
        held=held,
    )


def _looked_at(pool: Pool) -> Pool:
    """A pool without the figures that routing does not look at: they change from one moment to the next."""
    return replace(pool, allocated_percent=None, actual_percent=None)


def breaker_shut_s(settings: Settings) -> float | None:
    """For how long nothing is sent to where prompts go; None where no breaker watches it."""
    watch = guard(settings, "inference")
    if watch is None:
        return None
    rules, now = Rules(settings.breaker.failures, settings.breaker.probe_s), time()
    health = health_file(state_dir() / "breakers.json").health(f"{watch.host} {watch.plane}")
    if breaker.phase(health, rules, now) is not Phase.OPEN:
        return 0.0
    return breaker.open_for_s(health, rules, now)
