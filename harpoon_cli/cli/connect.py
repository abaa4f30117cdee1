"""Turns settings into a platform to talk to; the only place that knows both."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

from harpoon_cli.client.breaker import Rules
from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.guard import Guard
from harpoon_cli.client.health_file import HealthFile
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import DataPlane, Features, Platform
from harpoon_cli.client.spared import SparedControl
from harpoon_cli.client.transport import Endpoint, Exchange, Network, Transport
from harpoon_cli.settings.endpoint import LiveEndpoint
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.paths import make_private, state_dir

SANDBOX = "sandbox"
"""How the embedded platform is called in every output."""

Observe = Callable[[Exchange], None]


SHARE_OF_HANGING_CALL = 2 / 3
"""How much of a call's time one attempt may use before it is made again; a prompt's goes on beside that."""


def retry_policy(settings: Settings, plane: str = "control") -> RetryPolicy:
    """How calls on a plane ("control", "inference") are repeated; the breaker's reserve pays for it."""
    retry = settings.retry
    allowance, limit = guard(settings, plane), f"http.{plane}_s"
    return RetryPolicy(retry.attempts, retry.base_s, retry.cap_s, SHARE_OF_HANGING_CALL, allowance, limit)


def guard(settings: Settings, plane: str) -> Guard | None:
    """What watches a plane of the configured platform; None for the sandbox, which is this process."""
    platform = settings.platform
    first, second = platform.base_url, platform.inference_url
    url = first or second if plane == "control" else second or first
    return None if url is None else guard_at(settings, url, plane)


def guard_at(settings: Settings, url: str, plane: str) -> Guard:
    """What watches a plane of the host of that URL."""
    rules = Rules(settings.breaker.failures, settings.breaker.probe_s)
    return Guard("://".join(_origin(url)), plane, health_file(state_dir() / "breakers.json"), rules)


@cache
def health_file(path: Path) -> HealthFile:
    """The one of this process: where the file cannot be used, its parts still know of each other."""
    return HealthFile(path, partial(make_private, path.parent))


def routing_base(settings: Settings) -> float:
    """The threshold, a probability in the settings, as the log-odds that routing counts in."""
    share = min(max(settings.routing.threshold, 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))


def connect_live(
    settings: Settings, live: LiveEndpoint, observe: Observe, note: Callable[[str], None] = lambda _: None
) -> Platform:
    """The configured platform. Nothing is sent yet; `note` is told what works less well than it should."""
    platform = settings.platform
    health_file(state_dir() / "breakers.json").complain = note
    control = Transport(
        Endpoint(live.base_url, live.key, platform.auth),
        _network(settings),
        observe=observe,
        guard=guard(settings, "control"),
    )
    same_host = _origin(live.inference_url) == _origin(live.base_url)
    inference = control.watched_by(guard(settings, "inference"))
    if live.inference_url != live.base_url:
        # The key is for the platform; another host must never be handed it.
        key = live.key if same_host else None
        endpoint = Endpoint(live.inference_url, key, platform.auth, setting="platform.inference_url")
        inference = Transport(
            endpoint, _network(settings), observe=observe, guard=guard(settings, "inference")
        )
    paths = platform.paths.model_dump(exclude_none=True)
    control_options = _control_options(settings, _features(settings), paths, platform.names)
    # Nor has another host promised what the platform's settings say of it.
    keys = same_host and platform.idempotency_keys
    return Platform(
        live.base_url,
        lambda: SparedControl(open_control(platform.control, control, control_options)),
        lambda: _inference(platform.inference, inference, settings, platform.paths.inference, keys=keys),
        (control.aclose, inference.aclose),
    )


def connect_model(
    settings: Settings, live: LiveEndpoint, url: str, observe: Observe
) -> tuple[DataPlane, Callable[[], Awaitable[None]]]:
    """Where a model with an endpoint of its own answers, and what closes it. Nothing is sent yet.

    Another host than the platform's is never handed the platform's key.
    """
    key = live.key if _origin(url) == _origin(live.base_url) else None
    auth = settings.platform.auth if key is not None else "none"
    endpoint = Endpoint(url, key, auth, setting="models.NAME.inference_url")
    watch = guard_at(settings, url, "inference")
    transport = Transport(endpoint, _network(settings), observe=observe, guard=watch)
    plane = _inference(
        settings.platform.inference, transport, settings, settings.platform.paths.inference, keys=False
    )
    return plane, transport.aclose


def connect_sandbox(settings: Settings, sandbox_dir: Path, observe: Observe) -> Platform:
    """The embedded platform, in this process; it speaks the default dialects and honours all of them."""
    from harpoon_cli.sandbox.embedded import open_sandbox
    from harpoon_cli.settings.paths import cache_dir

    sandbox = settings.sandbox
    application = open_sandbox(sandbox_dir, cache_dir(), idle_s=sandbox.idle_s, threads=sandbox.threads)
    endpoint = Endpoint("http://sandbox", application.key, embedded=application)
    transport = Transport(endpoint, _network(settings), observe=observe)
    features = Features(leases=True, idempotency_keys=True, ttl=True, lists=True, metadata=True)
    return Platform(
        SANDBOX,
        lambda: open_control("seed_v1", transport, _control_options(settings, features, {}, {})),
        lambda: _inference("seed_v1", transport, settings, None, keys=True),
        (transport.aclose, application.close),
    )


async def check(settings: Settings, live: LiveEndpoint | None) -> None:
    """`ConfigurationFault` for dialects there are not, certificates and proxies that cannot be used.

    Nothing is sent. `live` is None for the sandbox.
    """
    from harpoon_cli.client import control, inference

    control.known(settings.platform.control)
    inference.known(settings.platform.inference)
    if live is not None:
        await connect_live(settings, live, lambda _: None).close()


def _control_options(
    settings: Settings, features: Features, paths: Mapping[str, str], names: Mapping[str, str]
) -> ControlOptions:
    return ControlOptions(
        features=features,
        paths=paths,
        names=names,
        pool_id=settings.platform.pool_id,
        currency=settings.platform.currency,
        deadline_s=settings.http.control_s,
        retry=retry_policy(settings),
    )


def _inference(
    dialect: str, transport: Transport, settings: Settings, path: str | None, *, keys: bool
) -> DataPlane:
    # Most commands send no prompt: its dialect is loaded by those that do.
    from harpoon_cli.client.inference import InferenceOptions, open_inference

    policy = retry_policy(settings, "inference")
    options = InferenceOptions(path, settings.http.inference_s, policy, idempotency_keys=keys)
    return open_inference(dialect, transport, options)


def _features(settings: Settings) -> Features:
    platform = settings.platform
    return Features(
        idempotency_keys=platform.idempotency_keys,
        ttl=platform.ttl,
        lists=platform.lists,
        metadata=platform.metadata,
    )


def _network(settings: Settings) -> Network:
    http = settings.http
    return Network(
        connect_s=http.connect_s,
        max_body_bytes=http.max_body_mb * 1024 * 1024,
        ca_bundle=http.ca_bundle,
        client_cert=http.client_cert,
        client_key=http.client_key,
        proxy=http.proxy,
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
