"""What is known now for a routing decision: the policy, and each model's pools, latency and breaker."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from harpoon_cli.catalogue import Catalogue
from harpoon_cli.cli import latencies
from harpoon_cli.cli.budget import spent
from harpoon_cli.cli.connect import guard, guard_at, health_file, routing_base
from harpoon_cli.cli.endpoints import own_url
from harpoon_cli.cli.session import Session
from harpoon_cli.client import breaker
from harpoon_cli.client.breaker import Phase, Rules
from harpoon_cli.client.guard import Guard
from harpoon_cli.domain import Pool, Prompt
from harpoon_cli.routing.decision import Inputs, Known, Policy
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.paths import state_dir
from harpoon_cli.values import replace

SOON_S = 5.0
"""A limit that leaves no call ends soon enough not to count: the call itself waits as long for it."""


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
        stickiness=routing.stickiness,
        pressure=routing.pressure,
    )


def _names(catalogue: Catalogue, names: Sequence[str]) -> tuple[str, ...]:
    """Each once, as the catalogue writes it."""
    return tuple(dict.fromkeys(catalogue.find(name).name for name in names))


def inputs_of(
    session: Session, prompt: Prompt, policy: Policy, pools: tuple[Pool, ...] | None, *, held: bool = False
) -> Inputs:
    """What the decision about a prompt is made of: all models of the catalogue, and what is known now."""
    predicted, settings = latencies.predicted(session.account), session.settings
    models = session.catalogue.models.values()
    at = {model.name: own_url(settings, model.name) for model in models}
    told = {url: _told(settings, url) for url in set(at.values())}
    return Inputs(
        prompt=prompt,
        # Nothing is paid for a lease that is held already.
        policy=replace(policy, max_cost=None) if held else _within_budget(session, policy),
        models=tuple(Known(model, predicted.get(model.name), *told[at[model.name]]) for model in models),
        pools=None if pools is None else tuple(_looked_at(pool) for pool in pools),
        held=held,
    )


def _told(settings: Settings, url: str | None) -> tuple[float | None, int | None, float | None]:
    """What is known of an endpoint of its own, or the platform's: shut_s, calls_left and calls_for_s."""
    watch = guard(settings, "inference") if url is None else guard_at(settings, url, "inference")
    left, for_s = _rate_limit(guard(settings, "control"), watch) or (None, None)
    return _shut_s(settings, watch), left, for_s


def _within_budget(session: Session, policy: Policy) -> Policy:
    """The policy with what the ledger says of the budget, where there is one."""
    found = spent(session)
    return policy if found is None else replace(policy, budget_used=found.used, budget=found.budget)


def _looked_at(pool: Pool) -> Pool:
    """A pool without the figures that routing does not look at: they change from one moment to the next."""
    return replace(pool, allocated_percent=None, actual_percent=None)


def _shut_s(settings: Settings, watch: Guard | None) -> float | None:
    """For how long nothing is sent to where a model answers; None where no breaker watches it."""
    if watch is None:
        return None
    rules, now = Rules(settings.breaker.failures, settings.breaker.probe_s), time()
    health = health_file(state_dir() / "breakers.json").health(f"{watch.host} {watch.plane}")
    if breaker.phase(health, rules, now) is not Phase.OPEN:
        return 0.0
    return breaker.open_for_s(health, rules, now)


def _rate_limit(*guards: Guard | None) -> tuple[int, float] | None:
    """Of the limits that were told the one that leaves less: calls, and seconds; None where none was."""
    limits = [limit for one in guards if one is not None and (limit := one.limit()) is not None]
    return min((one for one in limits if one[0] or one[1] > SOON_S), default=None)
