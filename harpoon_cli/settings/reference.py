"""Writes the settings down for people: the example file, the starter file, the rows of an option table.

All of it is made from the model, so that no default is written twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby

from pydantic import BaseModel

from harpoon_cli.settings import keys
from harpoon_cli.settings.keys import Entry, Key
from harpoon_cli.settings.model import ModelTable, Settings
from harpoon_cli.values import Struct


class Option(Struct, frozen=True):
    """A row of the option table. default is as TOML writes it, "unset" where there is none."""

    key: str
    variable: str | None
    default: str
    wants: str
    description: str


def options() -> tuple[Option, ...]:
    """Every setting, in the order of the example file."""
    return tuple(
        Option(
            key=".".join("NAME" if part == "*" else part for part in entry.key),
            variable=entry.variable,
            default="unset" if entry.default is None else toml_value(entry.default),
            wants=entry.wants,
            description=entry.description,
        )
        for entry in keys.entries().values()
    )


def example() -> str:
    """The text of config.example.toml: every setting with its default; unset ones start with "#"."""
    return _HEAD + "".join(_tables()) + _PROFILES


def starter() -> str:
    """The example with every setting as a comment: it changes nothing until it is edited."""
    return "".join(_commented(line) for line in example().splitlines(keepends=True))


def _commented(line: str) -> str:
    return line if line.startswith(("#", "[", "\n")) else f"#{line}"


def toml_value(value: object) -> str:
    """A scalar or a list of scalars as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}" if value == int(value) else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def without_password(text: str) -> str:
    """The text with what may be a secret in a URL masked: what is before an @, or after a question mark."""
    return re.sub(r"""(://[^\s"'?]*\?)[^\s"']+""", r"\1***", re.sub(r"//\S*@", "//***@", text))


def _tables() -> Iterator[str]:
    for table, members in groupby(keys.entries().values(), key=lambda entry: entry.key[:-1]):
        if table == ("platform", "names"):
            yield _NAMES
            continue
        yield _header(table)
        yield from (_setting(entry) for entry in members)


def _header(table: Key) -> str:
    if not table:
        return ""
    if table[0] == "models":
        return _MODELS
    return f"\n# {_about(table)}\n[{keys.dotted(table)}]\n"


def _about(table: Key) -> str:
    """The one line about a table: its docstring."""
    field = Settings.model_fields[table[0]]
    for part in table[1:]:
        inner = field.annotation
        field = (
            inner.model_fields[part] if isinstance(inner, type) and issubclass(inner, BaseModel) else field
        )
    return field.description or ""


def _setting(entry: Entry) -> str:
    if entry.key == keys.KEY_PLACES[0]:
        return f"# {entry.description}\n"
    unset = entry.default is None
    value = toml_value(entry.example if unset else entry.default)
    return f"# {entry.description}\n{'#' if unset else ''}{entry.key[-1]} = {value}\n"


_HEAD = """\
# Every setting of harpoon with its default. A "#" with no space after it marks a setting that is unset.
#
# Where settings come from, strongest first:
#   flags
#   the environment   HOSTED_AI_BASE_URL, HOSTED_AI_API_KEY, HOSTED_AI_POOL_ID, and HARPOON_<TABLE>__<KEY>
#                     for the rest, such as HARPOON_LEASE__TTL_S=15m; an empty variable is an unset one
#   .env              in the working directory, with the same names
#   harpoon.toml      in the working directory, or further up to the root of the git repository
#   config.toml       in ~/.config/harpoon (or $XDG_CONFIG_HOME/harpoon)
# --config or HARPOON_CONFIG names one file, or a directory with config.toml or harpoon.toml and perhaps the
# key in a file api_key, that is read in place of the last two. `harpoon config show --origin` tells what came
# from where.
#
# harpoon.toml and .env come with a directory, perhaps with somebody else's code, and are trusted less: they
# cannot say where a key is kept, and where one of them sets base_url, inference_url, paths, proxy or
# ca_bundle, a key from elsewhere is not sent. To trust such a file, name it with --config or HARPOON_CONFIG.
#
# Durations are seconds, or text such as "90s", "15m", "1h30m". Relative paths start from this file.

"""

_MODELS = f"""
# {ModelTable.__doc__}
# A name with a dot in it goes in quotes: [models."my-2.5"]
#[models.my-7b]
"""

_NAMES = """
# What this server calls the fields of the contract, where it has other names.
#[platform.names]
#allocation_id = "id"
"""

_PROFILES = """
# Profiles: the same tables again, laid over the rest of this file by --profile, HARPOON_PROFILE or profile.
#[profiles.staging.platform]
#base_url = "https://staging.example.com"
#[profiles.staging.lease]
#ttl_s = "5m"
"""
