"""Control planes, one dialect a file; a dialect's name is its file's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import ControlPlane, Features
from harpoon_cli.client.transport import Transport


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """What a control plane may need to know beyond its transport.

    paths and names are those of the configured platform, by contract name; currency is used where the
    platform does not say; pool_id names the one pool of a platform that has no list of them.
    """

    features: Features
    paths: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    pool_id: str | None = None
    currency: str = "USD"
    deadline_s: float = 30.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def open_control(dialect: str, transport: Transport, options: ControlOptions) -> ControlPlane:
    """The control plane of the named dialect. Every dialect's file has a `create(transport, options)`."""
    module = import_module(f"{__name__}.{dialect}")
    return cast(ControlPlane, module.create(transport, options))
