"""The settings as rows to print, secrets masked; and the user's models for the catalogue."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from harpoon_cli.catalogue import ModelEntry
from harpoon_cli.domain import PoolId
from harpoon_cli.settings import keys
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.load import Loaded
from harpoon_cli.settings.origins import DEFAULT, SourceName
from harpoon_cli.settings.reference import toml_value, without_password
from harpoon_cli.values import Struct

MB_PER_GB = 1024


class Row(Struct, frozen=True):
    """A setting: dotted key, value as TOML writes it ("unset" for none, "***" for secrets), origin."""

    key: str
    value: str
    origin: SourceName


def rows(loaded: Loaded) -> tuple[Row, ...]:
    """Every setting that has a value or could have one, in the order of the example file."""
    return tuple(
        Row(keys.dotted(key), masked(key, value), loaded.origins.get(keys.dotted(key), DEFAULT))
        for key, value in _flat(loaded.settings, ())
    )


def _flat(table: BaseModel | Mapping[str, object], prefix: Key) -> Iterator[tuple[Key, object]]:
    for name, value in table.items() if isinstance(table, Mapping) else table:
        key = (*prefix, name)
        if isinstance(value, BaseModel | Mapping):
            yield from _flat(value, key)
        elif prefix[:1] != ("models",) or value is not None:
            yield key, value


def masked(key: Key, value: object) -> str:
    """A setting's value as TOML writes it, without secrets; `value` may be raw, as a file has it."""
    if value is None:
        return "unset"
    if key == keys.KEY_PLACES[0]:
        return "***"
    if key == ("platform", "api_key_command"):
        # Its arguments may hold a secret: only the program is shown.
        words = shlex.split(value) if isinstance(value, str) else value
        program, *arguments = words if isinstance(words, list | tuple) else ("***",)
        return toml_value((program, "***") if arguments else (program,))
    return without_password(toml_value(value))


def model_entries(loaded: Loaded) -> dict[str, ModelEntry]:
    """The [models.NAME] tables for `catalogue.merge`, by name in lower case."""
    return {
        name: ModelEntry(
            vram_mb=round(table.vram_gb * MB_PER_GB) if table.vram_gb is not None else table.vram_mb,
            tflops=table.tflops,
            context_tokens=table.context_tokens,
            served_name=table.served_name,
            pools=None if table.pools is None else tuple(PoolId(pool) for pool in table.pools),
            usd_per_million_input=table.usd_per_million_input,
            usd_per_million_output=table.usd_per_million_output,
            origin=_origin_of_model(loaded, name),
            kv_kb_per_token=table.kv_kb_per_token,
        )
        for name, table in loaded.settings.models.items()
    }


def _origin_of_model(loaded: Loaded, name: str) -> str:
    """Where the entry's first setting came from."""
    start = keys.dotted(("models", name)) + "."
    return next((str(source) for key, source in loaded.origins.items() if key.startswith(start)), "default")
