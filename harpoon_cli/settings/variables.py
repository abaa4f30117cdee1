"""Settings from environment variables, real ones and those in a .env file; checks names, not values.

Whatever is wrong is appended to the list that is handed in, so that one run can tell all of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, HarpoonError
from harpoon_cli.settings import keys
from harpoon_cli.settings.files import not_utf8, read_small
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.origins import Kind, Layer, SourceName

OTHER_VARIABLES = frozenset({"HARPOON_CONFIG", "HARPOON_RUN_ID"})
"""Variables of ours that are not settings."""

_KUBERNETES = re.compile(r"HARPOON(_\w+)?_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")
"""What Kubernetes puts into every container beside a service that is called harpoon-something."""


def environment_layer(environ: Mapping[str, str], faults: list[HarpoonError]) -> Layer:
    """The variables that set something; an empty one counts as unset, an unknown HARPOON_ one is a fault."""
    sources = {name: SourceName(Kind.ENVIRONMENT, name) for name in environ if _is_ours(name)}
    return _variables_layer(Kind.ENVIRONMENT, environ, sources, faults)


def _is_ours(name: str) -> bool:
    return name.startswith(("HARPOON_", "HOSTED_AI_")) and not _KUBERNETES.fullmatch(name)


def _variables_layer(
    kind: Kind, values: Mapping[str, str], sources: Mapping[str, SourceName], faults: list[HarpoonError]
) -> Layer:
    found: dict[Key, object] = {}
    origins: dict[Key, SourceName] = {}
    for name, source in sources.items():
        key = _key_of_variable(name)
        if key is None:
            faults.extend(_unknown_variable(name, source))
        elif values[name].strip():
            found[key], origins[key] = values[name].strip(), source
    return Layer(kind, found, origins)


_NAMES_PREFIX = "HARPOON_PLATFORM__NAMES__"


def _key_of_variable(name: str) -> Key | None:
    if name.startswith(_NAMES_PREFIX):
        return ("platform", "names", name.removeprefix(_NAMES_PREFIX).lower())
    return keys.variables().get(name)


def _unknown_variable(name: str, source: SourceName) -> Iterator[ConfigurationFault]:
    if name in OTHER_VARIABLES and source.kind is Kind.ENVIRONMENT:
        return
    ours = name.startswith("HARPOON_")
    # Other tools have HOSTED_AI_ variables too; only what looks like a slip for one of ours is held up.
    likely = _other_spelling(name) or keys.nearest(name, keys.variables(), cutoff=0.6 if ours else 0.8)
    if not ours and likely is None:
        return
    if name in OTHER_VARIABLES:
        yield ConfigurationFault(f"{source}: {name} is read from the real environment only")
    elif name.startswith(("HARPOON_MODELS__", "HARPOON_PROFILES__")):
        yield ConfigurationFault(
            f"{source}: models and profiles cannot be set by variables",
            hint="use a file: harpoon config path",
        )
    else:
        yield ConfigurationFault(
            f"{source}: there is no setting {name}",
            hint=f"did you mean {likely}?" if likely else "harpoon config show lists all settings",
        )


def _other_spelling(name: str) -> str | None:
    """HOSTED_AI_BASE_URL for HARPOON_PLATFORM__BASE_URL: those three have one name only."""
    key = tuple(name.removeprefix("HARPOON_").lower().split("__"))
    entry = keys.entries().get(key)
    return entry.variable if entry else None


def dotenv_layer(path: Path, place: str, faults: list[HarpoonError]) -> Layer:
    """The variables of ours in a .env file; what else is in it is not looked at.

    Nothing in it is replaced by other variables: a .env that comes with a clone could otherwise put the
    environment's secrets into a URL. A directory of that name (a virtual environment) is passed over.
    """
    empty = Layer(Kind.DOTENV)
    if not os.path.lexists(path) or path.is_dir():
        return empty
    try:
        content, _ = read_small(
            path, "the environment file", hint="correct it, or run harpoon from another directory"
        )
        if b"HARPOON_" not in content and b"HOSTED_AI_" not in content:
            return empty
        text = content.decode("utf-8-sig")
    except ConfigurationFault as fault:
        faults.append(fault)
        return empty
    except UnicodeDecodeError as cause:
        faults.append(not_utf8(place, cause))
        return empty
    return _dotenv_values(text, place, faults)


def _dotenv_values(text: str, place: str, faults: list[HarpoonError]) -> Layer:
    from io import StringIO

    from dotenv.parser import parse_stream  # only where there is such a file

    values: dict[str, str] = {}
    sources: dict[str, SourceName] = {}
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line
        if binding.error and re.search(r"HARPOON_|HOSTED_AI_", binding.original.string):
            faults.append(
                ConfigurationFault(
                    f"{place} line {line} is not understood", hint="write NAME=value on a line"
                )
            )
        elif binding.key and _is_ours(binding.key):
            values[binding.key] = binding.value or ""
            sources[binding.key] = SourceName(Kind.DOTENV, binding.key, place, line)
    return _variables_layer(Kind.DOTENV, values, sources, faults)
