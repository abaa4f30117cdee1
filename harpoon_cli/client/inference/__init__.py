"""Data planes, one dialect a file; a dialect's name is its file's name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import DataPlane
from harpoon_cli.client.transport import Transport
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.values import Struct, field


class InferenceOptions(Struct, frozen=True):
    """`path` is where prompts are posted; deadline_s is for a whole answer, streamed or not.

    idempotency_keys: the server answers the same key and prompt once, however often they come.
    """

    path: str | None = None
    deadline_s: float = 300.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    idempotency_keys: bool = False


def names() -> tuple[str, ...]:
    """The dialects there are: the files of this folder. Nothing is imported for it."""
    files = (file for folder in __path__ for file in Path(folder).glob("[!_]*.py"))
    return tuple(sorted(file.stem for file in files))


def known(dialect: str) -> str:
    """`dialect` where there is one of that name; `ConfigurationFault` where there is none."""
    if dialect not in names():
        raise ConfigurationFault(
            f"there is no data plane {dialect!r}", hint=f"platform.inference is one of: {', '.join(names())}"
        )
    return dialect


def open_inference(dialect: str, transport: Transport, options: InferenceOptions) -> DataPlane:
    """The data plane of the named dialect. Every dialect's file has a `create(transport, options)`."""
    module = import_module(f"{__name__}.{known(dialect)}")
    return cast(DataPlane, module.create(transport, options))
