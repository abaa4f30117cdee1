"""What our values are made of; it knows none of them.

msgspec's Structs: each dataclass would take 0.6 ms of a command's start, a Struct takes 0.02.
"""

from __future__ import annotations

import sys

# msgspec prefers typing_extensions to typing where both are there: 10 ms, and on our Pythons the same.
_LIGHT = "typing_extensions" not in sys.modules
if _LIGHT:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # None makes the import fail, as wanted

from msgspec import NODEFAULT, Struct, field
from msgspec.structs import asdict, fields, force_setattr, replace

if _LIGHT:
    del sys.modules["typing_extensions"]

__all__ = ["NODEFAULT", "Struct", "Told", "asdict", "field", "fields", "force_setattr", "replace"]


class Told(Struct, frozen=True):
    """Words for people that are put together only where somebody reads them: `str` of it."""

    def __repr__(self) -> str:
        return repr(str(self))
