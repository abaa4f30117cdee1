"""Reads TOML configuration files into layers: the plain settings and those of each profile.

Checks the file and its names, not its values. Faults of names are appended to the list that is handed in;
a file that cannot be read at all is raised.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, HarpoonError
from harpoon_cli.settings import keys
from harpoon_cli.settings.files import not_utf8, read_small
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.origins import Kind, Layer, SourceName
from harpoon_cli.settings.paths import home_dir
from harpoon_cli.values import Struct

_MOST_DOTS = 100
"""More dots on a line than any setting has: reading a key takes tomllib time by the square of its parts."""


class Document(Struct, frozen=True):
    """One configuration file: its plain layer, and one for each of its profiles. place is for people."""

    path: Path
    place: str
    base: Layer
    profiles: Mapping[str, Layer]


def read_document(
    path: Path, kind: Kind, *, environ: Mapping[str, str], cwd: Path, faults: list[HarpoonError]
) -> Document:
    """Read a configuration file; `ConfigurationFault` where it cannot be read or is not TOML."""
    place = printable(path, environ, cwd)
    return document_of(read_text(path, place), path, place, kind, environ=environ, faults=faults)


def document_of(
    text: str,
    path: Path,
    place: str,
    kind: Kind,
    *,
    environ: Mapping[str, str],
    faults: list[HarpoonError],
) -> Document:
    """A configuration file's text, as if it had been read from `path`; `ConfigurationFault` if not TOML."""
    table = parse(text, place)
    reading = _Reading(place, kind, key_lines(text), path.parent, environ, faults)
    profiles = reading.table_of(("profiles",), table.pop("profiles", {}))
    return Document(
        path,
        place,
        reading.layer(table),
        {
            name: reading.layer(reading.table_of(("profiles", name), profiles[name]), name)
            for name in profiles
        },
    )


def read_text(path: Path, place: str) -> str:
    """The text of a configuration file, without a byte order mark."""
    content, _ = read_small(
        path, "the configuration file", hint="harpoon config path lists the files that count"
    )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise not_utf8(place, cause) from cause


def parse(text: str, place: str) -> dict[str, object]:
    """The TOML document in `text`; `ConfigurationFault` with line and column where it is none."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#"):
            raise ConfigurationFault(f"{place} line {number} has more than {_MOST_DOTS} dots; no setting has")
    try:
        return tomllib.loads(text)
    except RecursionError as cause:
        raise ConfigurationFault(f"{place} is not usable TOML: nested too deeply") from cause
    except ValueError as cause:
        raise ConfigurationFault(
            f"{place} is not valid TOML: {cause}", hint="text goes in quotes, tables in [brackets]"
        ) from cause


def printable(path: Path, environ: Mapping[str, str], cwd: Path) -> str:
    """The path as a person would write it: from here, or from home, where that is shorter."""
    if path.is_relative_to(cwd):
        return str(path.relative_to(cwd))
    home = home_dir(environ)
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def located(key: Key, value: object, directory: Path, environ: Mapping[str, str]) -> object:
    """For keys that name files, the path from `directory` with ~ resolved; else the value as it is."""
    if key not in keys.FILE_KEYS or not isinstance(value, str) or not value:
        return value
    return str(directory / expanded(value, environ))


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """The path with a leading ~ for the home directory resolved."""
    return home_dir(environ) / path[2:] if path == "~" or path.startswith("~/") else Path(path)


class _Reading(Struct, frozen=True):
    """One file on its way into layers."""

    place: str
    kind: Kind
    lines: Mapping[Key, int]
    directory: Path
    environ: Mapping[str, str]
    faults: list[HarpoonError]

    def layer(self, table: Mapping[str, object], profile: str | None = None) -> Layer:
        above: Key = ("profiles", profile) if profile is not None else ()
        values: dict[Key, object] = {}
        self._collect(table, (), above, values)
        origins = {key: self._source((*above, *key), profile) for key in values}
        return Layer(self.kind, values, origins)

    def _collect(
        self, table: Mapping[str, object], prefix: Key, above: Key, values: dict[Key, object]
    ) -> None:
        for name, value in table.items():
            key = (*prefix, name.lower() if prefix == ("models",) else name)
            written = (*above, *prefix, name)
            if keys.is_table(key):
                self._collect(self.table_of(written, value), key, above, values)
            elif key in values:
                self._fault(written, "is there twice: names of models are the same in upper and lower case")
            elif keys.entry_of(key) is None or (above and key == ("profile",)):
                self._unknown(written, key, value)
            elif key == ("platform", "api_key"):
                self._fault(written, "does not belong into a file of settings", hint=KEY_HINT)
            else:
                values[key] = located(key, value, self.directory, self.environ)

    def table_of(self, written: Key, value: object) -> Mapping[str, object]:
        """The table that should be here; a fault and an empty one where something else is."""
        if isinstance(value, dict):
            return value
        self._fault(written, f"is a table: write [{keys.dotted(written)}] and its settings below it")
        return {}

    def _unknown(self, written: Key, key: Key, value: object) -> None:
        above = written[: len(written) - len(key)]
        likely = keys.nearest_key(key)
        if key[0] == "models" and isinstance(value, dict):
            name = f"{key[1]}.{key[2]}"
            hint = f'a name with a dot goes in quotes: [models."{name}"]'
        elif likely:
            hint = f"did you mean {keys.dotted(above)}{'.' if above else ''}{likely}?"
        else:
            hint = "harpoon config show lists all settings"
        self.faults.append(
            ConfigurationFault(f"{self._at(written)}: there is no setting {keys.dotted(written)}", hint=hint)
        )

    def _fault(self, written: Key, trouble: str, *, hint: str | None = None) -> None:
        self.faults.append(
            ConfigurationFault(f"{self._at(written)}: {keys.dotted(written)} {trouble}", hint=hint)
        )

    def _at(self, written: Key) -> str:
        return str(self._source(written, None))

    def _source(self, written: Key, profile: str | None) -> SourceName:
        line = self.lines.get(tuple(part.lower() for part in written))
        return SourceName(self.kind, place=self.place, line=line, profile=profile)


KEY_HINT = (
    "put it into HOSTED_AI_API_KEY, or name where it is by platform.api_key_file, api_key_command or "
    "api_key_keyring"
)

HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
ASSIGNMENT = re.compile(
    r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="""
)


def key_lines(text: str) -> dict[Key, int]:
    """The line, from 1, on which each key is set and each table opened; keys in lower case.

    Good enough to point at: text in several lines that looks like settings may mislead it.
    """
    found: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := HEADER.match(line):
            table = keys.undotted(header[1].lower()) or ()
            found.setdefault(table, number)
        elif assignment := ASSIGNMENT.match(line):
            found.setdefault((*table, *(keys.undotted(assignment[1].lower()) or ())), number)
    return found
