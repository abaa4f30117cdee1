"""Changes configuration files for the user: a commented starter, and one setting at a time.

Never writes a key, and never a file that harpoon would not read again.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, HarpoonError, UsageFault
from harpoon_cli.settings import keys
from harpoon_cli.settings.checks import refuse_untrusted
from harpoon_cli.settings.documents import (
    ASSIGNMENT,
    HEADER,
    KEY_HINT,
    document_of,
    key_lines,
    parse,
    printable,
    read_text,
)
from harpoon_cli.settings.files import write_whole
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.load import check_document
from harpoon_cli.settings.origins import Kind
from harpoon_cli.settings.paths import make_private
from harpoon_cli.settings.reference import starter, toml_value
from harpoon_cli.settings.show import masked
from harpoon_cli.values import Struct


class Written(Struct, frozen=True):
    """What was written. value is as TOML has it, secrets masked.

    backup is the old file, where its comments could not be kept.
    """

    path: Path
    key: str
    value: str
    created: bool
    backup: Path | None = None


def init(path: Path) -> Path:
    """Write a starter file in which every setting is a comment; return its path.

    `ConfigurationFault` where there is something of that name, `StorageFault` where it cannot be made.
    """
    if os.path.lexists(path):
        raise ConfigurationFault(f"{path} is there already", hint="harpoon config set KEY VALUE changes it")
    make_private(path.parent)
    write_whole(path, starter(), 0o600)
    return path


def set_value(
    path: Path, key: str, value: str, *, kind: Kind, environ: Mapping[str, str], cwd: Path
) -> Written:
    """Set one setting in the file at `path`, of the user, the project or named by the user; made if need be.

    key is dotted, perhaps below profiles.NAME; value is TOML, or plain text where text is wanted. Comments
    are kept where one line can be changed; else the file is written anew, the old one beside it as .bak.
    Nothing is changed, and `ConfigurationFault` or `UsageFault` raised, where the result would not be usable.
    """
    parts = _settable(key)
    place = printable(path, environ, cwd)
    created = not os.path.lexists(path)
    old = "" if created else read_text(path, place)
    new = _Change(old, parts, path, place, kind, environ).usable(value)
    backup = None
    if not (created or new.comments_kept):
        backup = path.with_name(path.name + ".bak")
        write_whole(backup, old, 0o600)
    make_private(path.parent)
    write_whole(path, new.text, _mode(path, kind))
    return Written(path, keys.dotted(parts), new.value, created, backup)


def _settable(key: str) -> Key:
    """The parts of a key that may be set; the settings of a profile are those of the file."""
    parts = keys.undotted(key) or (key,)
    inner = _of_file(parts)
    if inner == keys.KEY_PLACES[0]:
        raise ConfigurationFault("harpoon writes no keys into files", hint=KEY_HINT)
    if keys.is_table(inner):
        raise UsageFault(f"{key} is a table", hint=f"name a setting in it, such as {_first_of(inner)}")
    if keys.entry_of(inner) is None:
        likely = keys.nearest_key(inner)
        hint = f"did you mean {likely}?" if likely else "harpoon config show lists all settings"
        raise UsageFault(f"there is no setting {key}", hint=hint)
    return parts


def _of_file(parts: Key) -> Key:
    """The key without the profile that it stands in."""
    return parts[2:] if parts[0] == "profiles" and len(parts) > 2 else parts


def _first_of(table: Key) -> str:
    pattern = keys.pattern_of(table)
    first = next(known for known in keys.entries() if known[: len(pattern)] == pattern)
    return keys.dotted((*table, *first[len(table) :]))


def _mode(path: Path, kind: Kind) -> int:
    """The user's file is his alone; a project's and a named one may be shared, and keep what they have."""
    if kind is not Kind.USER and path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    return 0o644 if kind is Kind.PROJECT else 0o600


class _New(Struct, frozen=True):
    """A file's new text, and the value in it as TOML, secrets masked."""

    text: str
    value: str
    comments_kept: bool


class _Change(Struct, frozen=True):
    """One setting on its way into the text of a file."""

    old: str
    parts: Key
    path: Path
    place: str
    kind: Kind
    environ: Mapping[str, str]

    def usable(self, value: str) -> _New:
        """The new text, with `value` as TOML or else as text; the first fault where neither is usable."""
        faults: list[HarpoonError] = []
        for candidate in _candidates(value):
            new = self._with(candidate)
            faults = self._faults(new.text)
            if not faults:
                return new
        raise faults[0]

    def _faults(self, text: str) -> list[HarpoonError]:
        faults: list[HarpoonError] = []
        document = document_of(text, self.path, self.place, self.kind, environ=self.environ, faults=faults)
        refuse_untrusted([document.base, *document.profiles.values()], faults)
        check_document(document, faults)
        return faults

    def _with(self, value: object) -> _New:
        wanted = parse(self.old, self.place)
        table = wanted
        for part in self.parts[:-1]:
            inner = table.setdefault(part, {})
            table = inner if isinstance(inner, dict) else {}
        table[self.parts[-1]] = value
        literal = toml_value(value)
        shown = masked(_of_file(self.parts), value)
        edited = edit_line(self.old, self.parts, literal)
        if _means(edited, wanted):
            return _New(edited, shown, comments_kept=True)
        import tomli_w  # only where a line cannot be changed

        return _New(tomli_w.dumps(wanted), shown, comments_kept=False)


def _means(text: str, wanted: Mapping[str, object]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False


def _candidates(value: str) -> Iterator[object]:
    """What the value may be meant as: what TOML reads in it, then the bare text."""
    try:
        read = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        read = {}
    meant = read.get("value")
    plain = isinstance(meant, bool | int | float | str | list | date) and not isinstance(meant, datetime)
    if plain and len(read) == 1 and not _has_tables(meant):
        yield meant
    yield value


def _has_tables(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def edit_line(text: str, key: Key, literal: str) -> str:
    """The text with one setting changed or added, all else untouched. A guess: check what it means."""
    lines = text.split("\n")
    where = key_lines(text)
    lowered = tuple(part.lower() for part in key)
    if lowered in where:
        index = where[lowered] - 1
        lines[index] = _changed(lines[index], literal)
    elif len(key) == 1 or lowered[:-1] in where:
        start = where[lowered[:-1]] if len(key) > 1 else 0
        _insert(lines, start, f"{keys.dotted(key[-1:])} = {literal}")
    else:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += [""] if lines else []
        lines += [f"[{keys.dotted(key[:-1])}]", f"{keys.dotted(key[-1:])} = {literal}", ""]
    return "\n".join(lines)


_VALUE_AND_COMMENT = re.compile(r"""\s*(?:"[^"]*"|'[^']*'|[^"'#]*?)(\s*#.*)?""")


def _changed(line: str, literal: str) -> str:
    assignment = ASSIGNMENT.match(line)
    rest = _VALUE_AND_COMMENT.fullmatch(line, assignment.end()) if assignment else None
    if assignment is None or rest is None:
        return line
    return f"{assignment[0]} {literal}{rest[1] or ''}"


def _insert(lines: list[str], start: int, setting: str) -> None:
    """Put a setting into the table that begins at `start`: where it stands as a comment, or as its first."""
    name = setting.split(" = ", 1)[0]
    end = next((at for at in range(start, len(lines)) if HEADER.match(lines[at])), len(lines))
    for at in range(start, end):
        if lines[at].startswith(f"#{name} = "):
            lines[at] = setting
            return
    lines.insert(start, setting)
