"""Settings given on the command line, by their dotted key; never the platform's key."""

from __future__ import annotations

from collections.abc import Mapping

from harpoon_cli.errors import UsageFault
from harpoon_cli.settings import keys
from harpoon_cli.settings.keys import Key
from harpoon_cli.settings.origins import Kind, Layer, SourceName

FLAGS: Mapping[Key, str] = {
    ("lease", "ready_s"): "--timeout",
    ("output", "format"): "--output",
    ("output", "verbosity"): "-v/--quiet",
    ("platform", "pool_id"): "--pool",
}
"""Flags that are not called like the key they set."""


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Values by dotted key, as the command line gave them; None is a flag that was not used.

    A key of the platform's is never taken from a flag: the process list would show it.
    """
    values: dict[Key, object] = {}
    for text, value in flags.items():
        key = keys.undotted(text)
        if key is None or keys.entry_of(key) is None or key in keys.KEY_PLACES:
            raise UsageFault(f"{text} cannot be set by a flag")
        if value is not None:
            values[key] = value
    return Layer(Kind.FLAG, values, {key: SourceName(Kind.FLAG, _flag_name(key)) for key in values})


def _flag_name(key: Key) -> str:
    return FLAGS.get(key) or "--" + key[-1].removesuffix("_s").replace("_", "-")
