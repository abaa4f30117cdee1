"""What layers add up to: which of rival keys counts, what is not trusted, and whether values are usable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import SecretStr, ValidationError

from harpoon_cli.errors import ConfigurationFault, HarpoonError, UsageFault
from harpoon_cli.settings import keys
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.model import NAME_PATTERN, WIRE_NAME_PATTERN, Settings
from harpoon_cli.settings.origins import DEFAULT, OF_DIRECTORY, Kind, Layer, SourceName
from harpoon_cli.settings.reference import toml_value, without_password

_LONGEST_SHOWN = 60


def refuse_untrusted(layers: Iterable[Layer], faults: list[HarpoonError]) -> None:
    """A fault for each place of a key that is named by a file that may have come with a clone.

    Such a file could otherwise have a program run, or any file of the user's sent as a key.
    """
    for layer in layers:
        if layer.kind in OF_DIRECTORY:
            faults.extend(_untrusted(layer, key) for key in keys.KEY_PLACES[1:] if key in layer.values)


def _untrusted(layer: Layer, key: Key) -> ConfigurationFault:
    return ConfigurationFault(
        f"{layer.origins[key]}: {keys.dotted(key)} is not taken from a {layer.kind}, which may have come "
        "with somebody else's code",
        hint="put it into the user file (harpoon config path), or trust the file by naming it with --config "
        "or HARPOON_CONFIG",
    )


def without_rivals(layers: Iterable[Layer], faults: list[HarpoonError]) -> list[Layer]:
    """The layers, strongest first, where of settings that say the same thing only the strongest is left.

    Two of them in one source contradict each other, which is a fault.
    """
    settled: set[Key] = set()
    found = []
    for layer in layers:
        rivals: dict[Key, list[Key]] = {}
        for key in layer.values:
            if group := _group(key):
                rivals.setdefault(group, []).append(key)
        faults.extend(_contradiction(layer, group) for group in rivals.values() if len(group) > 1)
        beaten = {key for group, members in rivals.items() if group in settled for key in members}
        settled |= rivals.keys()
        values = {key: value for key, value in layer.values.items() if key not in beaten}
        found.append(Layer(layer.kind, values, layer.origins))
    return found


def _group(key: Key) -> Key | None:
    """What rival keys have in common."""
    if key in keys.KEY_PLACES:
        return keys.KEY_PLACES[0]
    if key[0] == "models" and key[-1] in ("vram_mb", "vram_gb"):
        return key[:-1]
    return None


def _contradiction(layer: Layer, rivals: list[Key]) -> ConfigurationFault:
    said = " and ".join(f"{keys.dotted(key)} ({layer.origins[key]})" for key in rivals)
    return ConfigurationFault(f"{said} contradict each other", hint="keep one of them")


def merged(layers: Iterable[Layer]) -> Layer:
    """One layer of the strongest value of each key; `layers` are strongest first."""
    values: dict[Key, object] = {}
    origins: dict[Key, SourceName] = {}
    for layer in reversed(list(layers)):
        values |= layer.values
        origins |= layer.origins
    return Layer(Kind.DEFAULT, values, {key: origins[key] for key in values})


def build(layer: Layer, faults: list[HarpoonError]) -> Settings | None:
    """The checked settings; None, and at least one more fault, where a value cannot be used."""
    wrong = [key for key, value in layer.values.items() if isinstance(value, bool) and not _is_flag(key)]
    if wrong:  # pydantic would read true as 1
        faults.extend(_wrong_value(key, layer) for key in wrong)
        return None
    try:
        return Settings.model_validate(_nested(layer.values))
    except ValidationError as cause:
        wrong = list(dict.fromkeys(_key_of(error["loc"], layer) for error in cause.errors()))
        faults.extend(_wrong_value(key, layer) for key in wrong)
        return None


def _is_flag(key: Key) -> bool:
    entry = keys.entry_of(key)
    return entry is not None and entry.flag


def _nested(values: Mapping[Key, object]) -> dict[str, object]:
    """Tables in tables. Every table is there, if empty, so that the root's validator makes them all."""
    root: dict[str, object] = {}
    tables: dict[Key, dict[str, object]] = {(): root}

    def table(key: Key) -> dict[str, object]:
        if key not in tables:
            tables[key] = {}
            table(key[:-1])[key[-1]] = tables[key]
        return tables[key]

    for known in keys.entries():
        if "*" not in known:
            table(known[:-1])
    for key, value in values.items():
        table(key[:-1])[key[-1]] = value
    return root


def _key_of(location: tuple[int | str, ...], layer: Layer) -> Key:
    """The key that pydantic's location means: its longest start that was set."""
    parts = tuple(str(part) for part in location)
    for length in range(len(parts), 0, -1):
        if parts[:length] in layer.values:
            return parts[:length]
    return next(key for key in layer.values if key[:2] == parts[:2])


def _wrong_value(key: Key, layer: Layer) -> HarpoonError:
    origin = layer.origins.get(key, DEFAULT)
    entry = keys.entries()[keys.pattern_of(key)]
    wanted = f"must be {entry.wants}, not {shown(key, layer.values[key])}"
    if origin.kind is Kind.FLAG:
        return UsageFault(f"{origin.name} {wanted}")
    if key[0] == "models" and re.fullmatch(NAME_PATTERN, key[1]) is None:
        return ConfigurationFault(f"{origin}: {keys.dotted(key[:2])} {_NO_NAME}")
    if key[:2] == ("platform", "names") and re.fullmatch(WIRE_NAME_PATTERN, key[2]) is None:
        return ConfigurationFault(f"{origin}: {keys.dotted(key)} {_NO_NAME}")
    value = entry.example if entry.default is None else entry.default
    hint = None if value is None else f"for example {entry.key[-1]} = {toml_value(value)}"
    return ConfigurationFault(f"{origin}: {keys.dotted(key)} {wanted}", hint=hint)


_NO_NAME = "is not a usable name: letters, digits and some signs, up to 200"


def shown(key: Key, value: object) -> str:
    """A raw value as a message may quote it: short, and without anything that could be a secret."""
    if key == keys.KEY_PLACES[0] or isinstance(value, SecretStr):
        return "what is there"
    if key == ("platform", "api_key_command"):
        return "that"
    if isinstance(value, dict):
        return "a table"
    text = repr(value) if isinstance(value, str) else str(value)
    text = without_password(text.lower() if isinstance(value, bool) else text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
