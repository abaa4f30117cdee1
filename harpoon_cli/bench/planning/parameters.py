"""Makes a value of its text, NAME:KEY=VALUE,KEY=VALUE, by the parameters its class declares, and text of it.

A parameter is a field annotated with a `Parameter`. A value with a comma, a quote or an unpaired bracket in
it is put in double quotes, a quote inside is doubled. The first value may stand without its key; it is then
the first parameter that must be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar, get_type_hints

from harpoon_cli.bench.planning.quantities import Kind
from harpoon_cli.discovery import Folder
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import NODEFAULT, Struct, fields

T = TypeVar("T", bound=Struct)

LONGEST_TEXT = 10_000
"""Characters that the text of a load or a work may have."""

_QUOTED = r'"(?:[^"]|"")*"'
_PIECE = re.compile(rf'(?:[^,"()]|{_QUOTED}|\([^()"]*\))+')
_PLAIN = re.compile(r'(?:[^,"()]|\([^()"]*\))+')
_KEY = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)


class Parameter(Struct, frozen=True):
    """What a field is as a parameter. `key` is how it is typed, by default the field's name."""

    kind: Kind
    help: str
    key: str = ""


class Declared(Struct, frozen=True):
    """A parameter of a class: its field, its key, and its default as it would be typed, None for none."""

    field: str
    key: str
    kind: Kind
    help: str
    required: bool
    default: str | None

    def __str__(self) -> str:
        return f"{self.key}={self.default or self.kind.example} ({self.help})"


class Choices(Struct, Generic[T], frozen=True):
    """The classes in the files of a folder, each under `constant`; a value of one is written NAME:KEY=VALUE.

    noun is what messages call such a value.
    """

    folder: Folder
    base: type[T]
    constant: str
    noun: str

    def choice(self, name: str) -> type[T]:
        """The class in the file of that name; `UsageFault` where there is none."""
        module = self.folder.module(name)
        found: object = getattr(module, self.constant)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise TypeError(f"{module.__name__}: {self.constant} is no {self.base.__name__}")
        return found

    def parse(self, text: str) -> T:
        """The value that a text such as "poisson:rate=40,for=60s" describes; `UsageFault`: what is wrong."""
        name, _, values = text.partition(":")
        return build(self.choice(name), f"{self.noun} {name}", values)

    def write(self, value: T, instead: Mapping[str, str] = MappingProxyType({})) -> str:
        """The text that `parse` makes an equal value of; what is in `instead` gets that text, not its own."""
        name, values = self.folder.name_of(value), write(value, instead)
        return f"{name}:{values}" if values else name


def declared(owner: type[Struct]) -> tuple[Declared, ...]:
    """The parameters of a class: those that must be given first."""
    hints = get_type_hints(owner, include_extras=True)
    found = []
    for one in fields(owner):
        for note in getattr(hints[one.name], "__metadata__", ()):
            if isinstance(note, Parameter):
                default = None if one.default in (NODEFAULT, None) else note.kind.write(one.default)
                required = one.default is NODEFAULT
                key = note.key or one.name
                found.append(Declared(one.name, key, note.kind, note.help, required, default))
    return tuple(sorted(found, key=lambda parameter: not parameter.required))


def build(owner: type[T], title: str, text: str) -> T:
    """The value that `text` (KEY=VALUE,…) describes; `title` is how messages call it.

    `UsageFault` names what is wrong, and in its hint the parameters there are.
    """
    known = declared(owner)
    try:
        return owner(**dict(_values(known, text)))
    except ValueError as cause:
        hint = f"{title} takes {'; '.join(map(str, known)) or 'no parameters'}"
        raise UsageFault(f"{title}: {cause}", hint=hint) from cause


def write(value: Struct, instead: Mapping[str, str]) -> str:
    """The KEY=VALUE,… text that `build` makes an equal value of; what is as by default is left out.

    A key in `instead` is written with that text in place of the value's own.
    """
    given = ((one, getattr(value, one.field)) for one in declared(type(value)))
    texts = ((one, instead.get(one.key, one.kind.write(found))) for one, found in given if found is not None)
    return ",".join(f"{one.key}={_quoted(text)}" for one, text in texts if text != one.default)


def _values(known: tuple[Declared, ...], text: str) -> Iterator[tuple[str, object]]:
    by_key = {one.key: one for one in known}
    missing = {one.key: one for one in known if one.required}
    seen = set()
    for number, piece in enumerate(list(_pieces(text))):
        key, value = _key_and_value(piece, next(iter(missing), "") if number == 0 else "")
        if key not in by_key:
            raise ValueError(f"there is no parameter {key!r}")
        if key in seen:
            raise ValueError(f"{key} is given twice")
        seen.add(key)
        missing.pop(key, None)
        yield by_key[key].field, _read(by_key[key], _unquoted(value))
    if missing:
        raise ValueError(f"{' and '.join(missing)} must be given")


def _pieces(text: str) -> Iterator[str]:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"this is longer than {LONGEST_TEXT} characters")
    at = 0
    while text:
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(
                f"a value is missing, or a bracket or quote is not closed, at {text[at:][:20]!r}"
            )
        yield piece[0]
        at = piece.end()
        if at == len(text):
            return
        if text[at] != ",":
            raise ValueError(f"a bracket or quote is not closed at {text[at:][:20]!r}")
        at += 1


def _key_and_value(piece: str, first: str) -> tuple[str, str]:
    named = _KEY.fullmatch(piece)
    if named:
        return named[1], named[2]
    if not first:
        raise ValueError(f"{piece[:40]!r} is not KEY=VALUE; a value with a comma needs double quotes")
    return first, piece


def _read(parameter: Declared, text: str) -> object:
    try:
        return parameter.kind.read(text)
    except ValueError as cause:
        raise ValueError(f"{parameter.key}={text[:40]} {cause}") from cause


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _unquoted(text: str) -> str:
    if re.fullmatch(_QUOTED, text):
        return text[1:-1].replace('""', '"')
    return text
