"""The keys of the settings as names: which there are, their environment variables, which is nearest.

A key is a tuple of its parts, ("lease", "ttl_s"); the part that a user names himself is "*" in a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harpoon_cli.settings.model import ModelTable, Settings, Wants
from harpoon_cli.values import Struct

Key = tuple[str, ...]

KEY_PLACES: tuple[Key, ...] = (
    ("platform", "api_key"),
    ("platform", "api_key_file"),
    ("platform", "api_key_command"),
    ("platform", "api_key_keyring"),
)
"""The ways to say where the platform's key is; of one source only one may be used."""

FILE_KEYS: frozenset[Key] = frozenset(
    {
        ("platform", "api_key_file"),
        ("http", "ca_bundle"),
        ("http", "client_cert"),
        ("http", "client_key"),
    }
)
"""Keys that name files; a relative one is meant from where it is written."""

_HOSTED_AI_NAMES: dict[Key, str] = {
    ("platform", "base_url"): "HOSTED_AI_BASE_URL",
    ("platform", "api_key"): "HOSTED_AI_API_KEY",
    ("platform", "pool_id"): "HOSTED_AI_POOL_ID",
}


class Entry(Struct, frozen=True):
    """One setting. `default` and `example` are as Python values; a default of None means unset."""

    key: Key
    wants: str
    default: object
    example: object
    description: str
    flag: bool

    @property
    def variable(self) -> str | None:
        """Its environment variable; None for keys that only files can hold."""
        if self.key in _HOSTED_AI_NAMES:
            return _HOSTED_AI_NAMES[self.key]
        return None if "*" in self.key else "HARPOON_" + "__".join(self.key).upper()


@cache
def entries() -> dict[Key, Entry]:
    """Every setting by its pattern, in the order of the model."""
    return {entry.key: entry for entry in _entries_of(Settings, ())}


def _entries_of(table: type[BaseModel], prefix: Key) -> Iterator[Entry]:
    for name, field in table.model_fields.items():
        key = (*prefix, name)
        annotation = field.annotation
        if name == "models":
            yield from _entries_of(ModelTable, (*key, "*"))
        elif get_origin(annotation) is dict:
            yield _entry((*key, "*"), field, default=None, wants="the name of a field on this server")
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _entries_of(annotation, key)
        else:
            yield _entry(key, field, default=field.default, wants=_wants(field))


def _entry(key: Key, field: FieldInfo, *, default: object, wants: str) -> Entry:
    return Entry(
        key=key,
        wants=wants,
        default=default,
        example=field.examples[0] if field.examples else None,
        description=field.description or "",
        flag=field.annotation is bool,
    )


def _wants(field: FieldInfo) -> str:
    """What a value must be, in words."""
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(get_args(field.annotation))
    alternatives = (get_args(alternative) for alternative in get_args(field.annotation))
    stated = [*field.metadata, *(item for parts in alternatives for item in parts)]
    return next(item.words for item in stated if isinstance(item, Wants))


def pattern_of(key: Key) -> Key:
    """The key with the part that a user names himself replaced by "*"."""
    if key[0] == "models" and len(key) > 1:
        return ("models", "*", *key[2:])
    if key[:2] == ("platform", "names") and len(key) > 2:
        return ("platform", "names", "*", *key[3:])
    return key


def entry_of(key: Key) -> Entry | None:
    """The setting a key names; None for tables and for what does not exist."""
    return entries().get(pattern_of(key))


def is_table(key: Key) -> bool:
    """Whether the key names a table that holds settings."""
    pattern = pattern_of(key)
    return any(known[: len(pattern)] == pattern and len(known) > len(pattern) for known in entries())


@cache
def variables() -> dict[str, Key]:
    """Every environment variable with a fixed name, and the key it sets."""
    return {entry.variable: entry.key for entry in entries().values() if entry.variable}


_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PART = re.compile(r'\s*(?:"([^"\\]*)"|\'([^\']*)\'|([A-Za-z0-9_-]+))\s*', re.ASCII)


def dotted(key: Iterable[str]) -> str:
    """The key as TOML writes it: `lease.ttl_s`, `models."qwen2.5-7b".vram_mb`."""
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in key)


def undotted(text: str) -> Key | None:
    """The key that `dotted` writes as `text`; None where it is not written like a key."""
    parts: list[str] = []
    at = 0
    while piece := _PART.match(text, at):
        parts.append(next(group for group in piece.groups() if group is not None))
        at = piece.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            return None
        at += 1
    return None


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name most like `name`; None where none is."""
    from difflib import get_close_matches  # only errors need it

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def nearest_key(key: Key) -> str | None:
    """What the writer of an unknown key may have meant, dotted: a neighbour, or the same name elsewhere."""
    table, name = key[:-1], key[-1]
    depth = len(table)
    neighbours = {known[depth] for known in entries() if known[:depth] == pattern_of(key)[:depth]} - {"*"}
    if found := nearest(name, neighbours):
        return dotted((*table, found))
    elsewhere = {dotted(known): known for known in entries() if "*" not in known}
    same_name = next((text for text, known in elsewhere.items() if known[-1] == name), None)
    return same_name or nearest(dotted(key), elsewhere, cutoff=0.75)
