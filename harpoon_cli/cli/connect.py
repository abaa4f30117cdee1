"""Turns settings into a platform to talk to; the only place that knows both."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import Features, Platform
from harpoon_cli.client.transport import Endpoint, Exchange, Network, Transport
from harpoon_cli.leases.lifecycle import Patience
from harpoon_cli.settings.endpoint import LiveEndpoint
from harpoon_cli.settings.model import Settings

SANDBOX = "sandbox"
"""How the embedded platform is called in every output."""

Observe = Callable[[Exchange], None]


def retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(settings.retry.attempts, settings.retry.base_s, settings.retry.cap_s)


def patience(settings: Settings, *, ready_s: float | None = None) -> Patience:
    return Patience(
        allocate_s=settings.http.control_s,
        ready_s=ready_s or settings.lease.ready_s,
        poll_s=settings.lease.poll_s,
    )


def routing_base(settings: Settings) -> float:
    """The threshold, a probability in the settings, as the log-odds that routing counts in."""
    share = min(max(settings.routing.threshold, 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))


def connect_live(settings: Settings, live: LiveEndpoint, observe: Observe) -> Platform:
    """The configured platform. Nothing is sent yet."""
    control = Transport(
        Endpoint(live.base_url, live.key, settings.platform.auth), _network(settings), observe=observe
    )
    inference = control
    if live.inference_url and live.inference_url != live.base_url:
        # The key is for the platform; another host must never be handed it.
        same_host = _origin(live.inference_url) == _origin(live.base_url)
        key = live.key if same_host else None
        endpoint = Endpoint(live.inference_url, key, settings.platform.auth)
        inference = Transport(endpoint, _network(settings), observe=observe)
    return _platform(live.base_url, settings, control, inference, _features(settings))


def connect_sandbox(settings: Settings, sandbox_dir: Path, observe: Observe) -> Platform:
    """The embedded platform, in this process."""
    from harpoon_cli.sandbox.embedded import open_sandbox
    from harpoon_cli.settings.paths import cache_dir

    application = open_sandbox(
        sandbox_dir,
        cache_dir(),
        idle_s=settings.sandbox.idle_s,
        threads=settings.sandbox.threads,
    )
    endpoint = Endpoint("http://sandbox", application.key, embedded=application)
    transport = Transport(endpoint, _network(settings), observe=observe)
    return _platform(
        SANDBOX, settings, transport, transport, Features(True, True, True, True, True), application.close
    )


def _platform(
    name: str,
    settings: Settings,
    control: Transport,
    inference: Transport,
    features: Features,
    close_embedded: Callable[[], Awaitable[None]] | None = None,
) -> Platform:
    embedded = name == SANDBOX
    retry = retry_policy(settings)

    async def close() -> None:
        await control.aclose()
        await inference.aclose()
        if close_embedded is not None:
            await close_embedded()

    return Platform(
        endpoint=name,
        control=open_control(
            "seed_v1" if embedded else settings.platform.control,
            control,
            ControlOptions(
                features=features,
                paths={} if embedded else settings.platform.paths.model_dump(),
                names={} if embedded else settings.platform.names,
                pool_id=settings.platform.pool_id,
                currency=settings.platform.currency,
                deadline_s=settings.http.control_s,
                retry=retry,
            ),
        ),
        inference=open_inference(
            "seed_v1" if embedded else settings.platform.inference,
            inference,
            InferenceOptions(
                path=_inference_path(settings) if not embedded else None,
                deadline_s=settings.http.inference_s,
                retry=retry,
            ),
        ),
        close=close,
    )


def _inference_path(settings: Settings) -> str | None:
    """The contract's path is the configured one; OpenAI's is fixed below its base URL."""
    return settings.platform.paths.inference if settings.platform.inference == "seed_v1" else None


def _features(settings: Settings) -> Features:
    platform = settings.platform
    return Features(
        leases=platform.control != "static",
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
    return parts.scheme, parts.netloc
