"""Puts the settings of a command together from all their sources and says where each value came from.

Strongest first: flags, the environment, `.env` in the working directory, the project file (`harpoon.toml`
there, or further up to the root of the git repository), the user file, the defaults. In each file the chosen
profile lies over the rest of that file. A file named by --config or HARPOON_CONFIG stands in for project and
user file; it may be a directory, as a container mounts it, that holds `config.toml` or `harpoon.toml` and
perhaps the key in a file `api_key`.

A project file and a .env come with a directory, perhaps by `git clone`, and are trusted less:
  * they cannot say where a key is kept (api_key_file, api_key_command, api_key_keyring);
  * where one of them says where requests go (see `endpoint.ROUTE`), no key from elsewhere is sent there.
Naming a file by --config or HARPOON_CONFIG is to trust it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from harpoon_cli.errors import HarpoonError
from harpoon_cli.settings import keys
from harpoon_cli.settings.checks import build, merged, without_rivals
from harpoon_cli.settings.documents import Document
from harpoon_cli.settings.gather import gather
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.origins import DEFAULT, SourceName
from harpoon_cli.values import Struct


class Loaded(Struct, frozen=True):
    """The settings, where each set value came from (by dotted key), and the files that were read.

    `origins` has every key but those of names that are not set (models, fields).
    """

    settings: Settings
    origins: Mapping[str, SourceName]
    files: tuple[Path, ...]


def load(
    *,
    flags: Mapping[str, object] | None = None,
    config: Path | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
) -> Loaded:
    """The settings that hold for a command run in `cwd`.

    flags are values by dotted key, None where a flag was not used. Raises the first thing that is wrong as
    `ConfigurationFault` (`UsageFault` where a flag is wrong); `problems` tells all of them.
    """
    sources = gather(flags=flags, config=config, profile=profile, environ=environ, cwd=cwd)
    faults = list(sources.faults)
    layer = merged(without_rivals(sources.layers(), faults))
    settings = build(layer, faults)
    if faults or settings is None:
        raise _first(faults)
    defaults = {key: DEFAULT for key in keys.entries() if "*" not in key}
    origins = {keys.dotted(key): source for key, source in (defaults | dict(layer.origins)).items()}
    return Loaded(settings, origins, sources.files)


def problems(
    *,
    flags: Mapping[str, object] | None = None,
    config: Path | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
) -> tuple[HarpoonError, ...]:
    """Everything that is wrong with the settings, those of profiles that are not chosen included."""
    try:
        sources = gather(flags=flags, config=config, profile=profile, environ=environ, cwd=cwd)
    except HarpoonError as fault:
        return (fault,)
    faults = list(sources.faults)
    build(merged(without_rivals(sources.layers(), faults)), faults)
    for document in sources.documents:
        check_document(document, faults)
    return tuple({fault.message: fault for fault in faults}.values())


def check_document(document: Document, faults: list[HarpoonError]) -> None:
    """Append what is wrong with the values of one file, alone and under each of its profiles."""
    base = document.base
    for layers in ([base], *([profile, base] for profile in document.profiles.values())):
        build(merged(without_rivals(layers, faults)), faults)


def _first(faults: Sequence[HarpoonError]) -> HarpoonError:
    first, *others = {fault.message: fault for fault in faults}.values()
    if others:
        more = f"{len(others)} more: harpoon config validate"
        first.hint = f"{first.hint}; {more}" if first.hint else more
    return first
