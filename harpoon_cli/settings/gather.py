"""Finds and reads everything that settings may come from; looks at names and trust, not at values.

The order of the sources and the reasons for it are told in `load`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, HarpoonError
from harpoon_cli.settings import keys
from harpoon_cli.settings.checks import refuse_untrusted
from harpoon_cli.settings.documents import Document, expanded, located, printable, read_document
from harpoon_cli.settings.flags import flag_layer
from harpoon_cli.settings.origins import Kind, Layer, SourceName
from harpoon_cli.settings.paths import PROJECT_FILE, USER_FILE, project_file, user_file
from harpoon_cli.settings.variables import dotenv_layer, environment_layer
from harpoon_cli.values import Struct, replace

KEY_FILE = "api_key"
"""The key's file in a mounted configuration directory."""


class Sources(Struct, frozen=True):
    """Everything that was found, before values are looked at; strongest first."""

    over_files: tuple[Layer, ...]
    documents: tuple[Document, ...]
    profile: str | None
    files: tuple[Path, ...]
    faults: Sequence[HarpoonError]

    def layers(self) -> list[Layer]:
        """All layers under the chosen profile, strongest first."""
        found = [*self.over_files]
        for document in self.documents:
            if self.profile is not None and self.profile in document.profiles:
                found.append(document.profiles[self.profile])
            found.append(document.base)
        return found


def gather(
    *,
    flags: Mapping[str, object] | None,
    config: Path | None,
    profile: str | None,
    environ: Mapping[str, str],
    cwd: Path | None,
) -> Sources:
    """Read all sources; what is wrong with their names and their trust is in the result.

    Raises where a configuration file cannot be read at all.
    """
    here = cwd or Path.cwd()
    faults: list[HarpoonError] = []
    flag = _located_from(flag_layer({"profile": profile, **(flags or {})}), here, environ)
    environment = _located_from(environment_layer(environ, faults), here, environ)
    dotenv = _located_from(dotenv_layer(here / ".env", ".env", faults), here, environ)
    documents = _documents(config, environ, here, faults)
    refuse_untrusted([dotenv, *_all_layers(documents)], faults)
    bases = [flag, environment, dotenv, *(document.base for document in documents)]
    read = [here / ".env"] if dotenv.values else []
    return Sources(
        over_files=(flag, environment, dotenv),
        documents=documents,
        profile=_chosen_profile(bases, documents, faults),
        files=(*read, *(document.path for document in documents)),
        faults=faults,
    )


def _all_layers(documents: Iterable[Document]) -> Iterable[Layer]:
    for document in documents:
        yield from (document.base, *document.profiles.values())


def _located_from(layer: Layer, cwd: Path, environ: Mapping[str, str]) -> Layer:
    values = {key: located(key, value, cwd, environ) for key, value in layer.values.items()}
    return Layer(layer.kind, values, layer.origins)


def _chosen_profile(
    layers: Iterable[Layer], documents: Sequence[Document], faults: list[HarpoonError]
) -> str | None:
    """The profile that the strongest source names; a fault where no file has it."""
    by = next((layer for layer in layers if ("profile",) in layer.values), None)
    if by is None:
        return None
    name, origin = str(by.values[("profile",)]), by.origins[("profile",)]
    known = [known for document in documents for known in document.profiles]
    if name in known:
        return name
    likely = keys.nearest(name, known)
    read = ", ".join(document.place for document in documents) or "no file, there is none"
    faults.append(
        ConfigurationFault(
            f"{origin}: there is no profile {name!r} (looked in: {read})",
            hint=f"did you mean {likely}?"
            if likely
            else f"add a table [profiles.{name}.platform] to one of them",
        )
    )
    return None


def _documents(
    config: Path | None, environ: Mapping[str, str], cwd: Path, faults: list[HarpoonError]
) -> tuple[Document, ...]:
    """The configuration files that count, strongest first."""
    named = _named(config, environ, cwd)
    if named is not None:
        return (_named_document(named, environ, cwd, faults),)
    places = [(project_file(cwd, environ), Kind.PROJECT), (user_file(environ), Kind.USER)]
    return tuple(
        read_document(path, kind, environ=environ, cwd=cwd, faults=faults)
        for path, kind in places
        if path is not None and os.path.lexists(path)
    )


def named_file(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file that `config` (--config) or HARPOON_CONFIG means, there or not; None where neither is given.

    In a directory it is the configuration file there, or config.toml. `ConfigurationFault` where there are
    two.
    """
    named = _named(config, environ, cwd)
    if named is None or not named.is_dir():
        return named
    inside = _inside(named)
    if len(inside) > 1:
        raise _not_one(named, inside)
    return inside[0] if inside else named / USER_FILE


def _named(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    by_variable = environ.get("HARPOON_CONFIG", "").strip()
    if config is None and not by_variable:
        return None
    return cwd / expanded(str(config or by_variable), environ)


def _inside(directory: Path) -> list[Path]:
    return [directory / name for name in (USER_FILE, PROJECT_FILE) if os.path.lexists(directory / name)]


def _not_one(directory: Path, inside: Sequence[Path]) -> ConfigurationFault:
    found = "both" if inside else "neither"
    return ConfigurationFault(
        f"the configuration directory {directory} holds {found} {USER_FILE} {'and' if inside else 'nor'} "
        f"{PROJECT_FILE}",
        hint="one of the two is read, and the key from a file api_key beside it",
    )


def _named_document(
    path: Path, environ: Mapping[str, str], cwd: Path, faults: list[HarpoonError]
) -> Document:
    """The file at `path`, or the one in the directory at `path` together with the key beside it."""
    if not path.is_dir():
        return read_document(path, Kind.NAMED, environ=environ, cwd=cwd, faults=faults)
    inside = _inside(path)
    key_file = path / KEY_FILE
    has_key = os.path.lexists(key_file)
    if len(inside) > 1 or not (inside or has_key):
        raise _not_one(path, inside)
    if inside:
        document = read_document(inside[0], Kind.NAMED, environ=environ, cwd=cwd, faults=faults)
    else:
        document = Document(key_file, printable(key_file, environ, cwd), Layer(Kind.NAMED), {})
    return _with_key_file(document, key_file, printable(key_file, environ, cwd)) if has_key else document


def _with_key_file(document: Document, key_file: Path, place: str) -> Document:
    base = document.base
    rivals = [key for key in keys.KEY_PLACES if key in base.values]
    if rivals:
        raise ConfigurationFault(
            f"{base.origins[rivals[0]]}: {keys.dotted(rivals[0])} and the file {place} contradict each other",
            hint="keep one of them",
        )
    key = ("platform", "api_key_file")
    with_key = Layer(
        base.kind,
        {**base.values, key: str(key_file)},
        {**base.origins, key: SourceName(Kind.NAMED, place=place)},
    )
    return replace(document, base=with_key)
