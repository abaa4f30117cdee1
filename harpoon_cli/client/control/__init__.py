"""Control planes, one dialect a file; a dialect's name is its file's name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import ControlPlane, Features
from harpoon_cli.client.transport import Transport
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.values import Struct, field


class ControlOptions(Struct, frozen=True):
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


def names() -> tuple[str, ...]:
    """The dialects there are: the files of this folder. Nothing is imported for it."""
    files = (file for folder in __path__ for file in Path(folder).glob("[!_]*.py"))
    return tuple(sorted(file.stem for file in files))


def known(dialect: str) -> str:
    """`dialect` where there is one of that name; `ConfigurationFault` where there is none."""
    if dialect not in names():
        raise ConfigurationFault(
            f"there is no control plane {dialect!r}", hint=f"platform.control is one of: {', '.join(names())}"
        )
    return dialect


def open_control(dialect: str, transport: Transport, options: ControlOptions) -> ControlPlane:
    """The control plane of the named dialect. Every dialect's file has a `create(transport, options)`."""
    module = import_module(f"{__name__}.{known(dialect)}")
    return cast(ControlPlane, module.create(transport, options))
