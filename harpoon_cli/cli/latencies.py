"""How long answers took, kept in the cache to predict the next; losing it loses nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from statistics import median

from harpoon_cli.errors import HarpoonError
from harpoon_cli.settings.files import read_small, write_whole
from harpoon_cli.settings.paths import cache_dir, make_private

KEPT = 20
"""So many of a model's last answers are kept."""

PLATFORMS = 20
"""So many platforms are kept, the last ones met."""

_LONGEST_S = 30 * 24 * 3600.0

Seconds = dict[str, dict[str, list[float]]]


def _file() -> Path:
    return cache_dir() / "latencies.json"


def remember(account: str, model: str, seconds: float) -> None:
    """Keep how long a whole answer of a model took there. A cache that cannot be written fails nothing."""
    with suppress(OSError, HarpoonError):
        everything = _read()
        models = everything.pop(account, {})
        models[model] = [*models.get(model, []), round(seconds, 4)][-KEPT:]
        make_private(_file().parent)
        newest_last = [*everything.items(), (account, models)]
        write_whole(_file(), json.dumps(dict(newest_last[-PLATFORMS:])), 0o600)


def predicted(account: str) -> Mapping[str, float]:
    """For each model that was measured there the median, in seconds, of its last answers."""
    with suppress(OSError, HarpoonError):
        return {model: median(taken) for model, taken in _read().get(account, {}).items() if taken}
    return {}


def _read() -> Seconds:
    """What the file says that makes sense."""
    if not _file().exists():
        return {}
    content, _ = read_small(_file(), "the cache of latencies")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    platforms = document.items() if isinstance(document, dict) else ()
    return {
        account: {model: _numbers(taken) for model, taken in models.items()}
        for account, models in platforms
        if isinstance(models, dict)
    }


def _numbers(taken: object) -> list[float]:
    found = [one for one in taken if isinstance(one, int | float)] if isinstance(taken, list) else []
    return [float(one) for one in found if isfinite(one) and 0 <= one <= _LONGEST_S]
