"""A canary for a key, and where it must never be found; it knows nothing of how harpoon hides one."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

CANARY = 'sk-canary+7f/Zq"2%&<x>9wQ'
"""A key whose spellings in a URL, in JSON, in HTML and in base64 all differ."""


def spellings(key: str = CANARY) -> dict[str, str]:
    """Every form in which a server may send the key back, by its name."""
    raw = key.encode()
    return {
        "plain": key,
        "bearer": f"Authorization: Bearer {key}",
        "url": quote(key),
        "url, all of it": quote(key, safe=""),
        "form": quote_plus(key),
        "json": json.dumps(key),
        "json with escaped slashes": json.dumps(key).replace("/", "\\/"),
        "html": escape(key),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "upper case": key.upper(),
        "basic": b64encode(b":" + raw).decode(),
        "basic with a user": b64encode(b"me:" + raw).decode(),
        "base64": b64encode(raw).decode(),
        "base64 of the header": b64encode(b"Bearer " + raw).decode(),
        "base64 for URLs": urlsafe_b64encode(raw + b"/more").decode(),
    }


def traces(key: str = CANARY) -> tuple[str, ...]:
    """What of each spelling must not be found: of base64 what does not depend on the text around the key."""
    found = [form for name, form in spellings(key).items() if "base" not in name and "basic" not in name]
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            found.append(encode(b"." * before + key.encode() + b"..")[4:-4].decode())
    return tuple(form.strip('"').removeprefix("Authorization: Bearer ").lower() for form in found)


TRACES = traces()


def in_text(text: str) -> list[str]:
    """The forms of the canary in a text."""
    lower = text.lower()
    return [trace for trace in TRACES if trace in lower]


def in_files(root: Path, spared: Iterable[Path] = ()) -> Iterator[str]:
    """The files under a directory that hold the canary, or are called so; `spared` are where it was put."""
    kept = set(spared)
    for path in root.rglob("*"):
        if path in kept:
            continue
        if in_text(str(path)) or (path.is_file() and in_text(path.read_bytes().decode("latin-1"))):
            yield str(path)
