"""Reads and writes files of weights: a line of JSON that says what they are, then what each word weighs.

After the line come, kind by kind in its order, the numbers of the known words and pairs (32 bits each,
little-endian) and then their weights (a signed byte each). A file may come from anywhere: one that is not as
described is refused whole, before anything in it is used.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator, Mapping
from functools import cache, partial

from harpoon_cli.discovery import data_beside
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.weights import Calibration, KindWeights, Weights
from harpoon_cli.routing.wording import Wording
from harpoon_cli.values import replace

FORMAT = "harpoon routing weights 2"
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes; a file above this is refused unread."""

_SHIPPED = "weights.bin"
_ENTRY_BYTES = 5
_STEPS = 100
_LARGEST = 1e6


@cache
def shipped() -> Weights:
    """The weights that come with harpoon."""
    return load(data_beside(__file__, _SHIPPED), "the file of weights that comes with harpoon")


def load_own(content: bytes, where: str) -> Weights:
    """The weights in an operator's file; what it does not know is judged by those that come with harpoon."""
    return replace(load(content, where), others=shipped())


def dump(weights: Weights) -> bytes:
    """The file of these weights; `load` gives the same ones back."""
    quality = weights.quality
    header = {
        "format": FORMAT,
        "name": quality.weights,
        "note": quality.note,
        "source": quality.source,
        "licence": quality.licence,
        "training_sha256": quality.training_sha256,
        "fitted": quality.fitted,
        "rebuild": quality.rebuild,
        "figures": dict(quality.figures),
        "hand_quantiles": weights.hand_quantiles,
        "won": weights.won,
        "kinds": {name: _header_of(kind) for name, kind in weights.kinds.items()},
    }
    line = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    return b"".join([line, b"\n", *(_body_of(kind.wording()) for kind in weights.kinds.values())])


def _header_of(kind: KindWeights) -> dict[str, object]:
    wording = kind.wording()
    return {
        "rows": kind.rows,
        "intercept": kind.intercept,
        "signals": dict(kind.signals),
        "ranges": dict(kind.ranges),
        "scale": wording.scale,
        "groups": wording.groups,
        "least_known": kind.least_known,
        "small_is_right": {
            "intercept": kind.small_is_right.intercept,
            "signals": dict(kind.small_is_right.signals),
            "of_score": kind.small_is_right.of_score,
        },
        "quantiles": kind.quantiles,
        **({"figures": dict(kind.figures)} if kind.figures else {}),
    }


def _body_of(wording: Wording) -> bytes:
    numbers = list(wording.places)
    return struct.pack(f"<{len(numbers)}I", *numbers) + bytes(array("b", wording.weights))


def load(content: bytes, where: str) -> Weights:
    """The weights in a file's content; `where` names it in the `ConfigurationFault` that a bad one raises."""
    try:
        return _load(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as cause:
        raise ConfigurationFault(
            f"{where} cannot be used: {_words_of(cause)}",
            hint="remove it, or make a new one: harpoon route calibrate OUTCOMES.jsonl",
        ) from cause


def _words_of(cause: Exception) -> str:
    return f"it lacks {cause}" if isinstance(cause, KeyError) else str(cause)


def _load(content: bytes) -> Weights:
    line, _, body = content.partition(b"\n")
    header = json.loads(line)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"it is not of the format {FORMAT!r}")
    quality = Quality(
        weights=str(header["name"]),
        note=str(header["note"]),
        source=str(header["source"]),
        figures=tuple(_numbers(header["figures"]).items()),
        licence=str(header["licence"]),
        training_sha256=str(header["training_sha256"]),
        fitted=str(header["fitted"]),
        rebuild=str(header["rebuild"]),
    )
    return Weights(
        quality=quality,
        kinds=dict(_kinds(header["kinds"], body)),
        hand_quantiles=_ordered(header["hand_quantiles"]),
        won=_steps(header["won"]),
    )


def _kinds(headers: Mapping[str, Mapping[str, object]], body: bytes) -> Iterator[tuple[str, KindWeights]]:
    for name, header in headers.items():
        groups = tuple((str(group), _count(count)) for group, count in _pairs(header["groups"]))
        size = _ENTRY_BYTES * sum(count for _, count in groups)
        if len(body) < size:
            raise ValueError("it ends too early")
        yield str(name), _kind(header, groups, body[:size])
        body = body[size:]
    if body:
        raise ValueError("it is longer than it says")


def _kind(header: Mapping[str, object], groups: tuple[tuple[str, int], ...], body: bytes) -> KindWeights:
    small = _object(header["small_is_right"])
    # Of most runs only one kind is asked for, so the words of each are opened when they are.
    return KindWeights(
        rows=_count(header["rows"]),
        intercept=_number(header["intercept"]),
        signals=_numbers(header["signals"]),
        ranges={name: _range(value) for name, value in _object(header["ranges"]).items()},
        wording=cache(partial(_wording, _number(header["scale"]), groups, body)),
        least_known=_number(header["least_known"]),
        small_is_right=Calibration(
            _number(small["intercept"]), _numbers(small["signals"]), _number(small["of_score"])
        ),
        quantiles=_ordered(header["quantiles"]),
        figures=tuple(_numbers(header.get("figures", {})).items()),
    )


def _wording(scale: float, groups: tuple[tuple[str, int], ...], body: bytes) -> Wording:
    entries = len(body) // _ENTRY_BYTES
    numbers = struct.unpack_from(f"<{entries}I", body)
    weights = array("b", body[entries * (_ENTRY_BYTES - 1) :])
    return Wording(scale, groups, dict(zip(numbers, range(entries), strict=True)), weights)


def _number(value: object) -> float:
    # Far above any log-odds, and far below where sums overflow; it is False for what is no number at all.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{str(value)[:40]!r} is not a number that can be used")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{str(value)[:40]!r} is not a count")
    return value


def _steps(value: object) -> tuple[float, ...]:
    numbers = tuple(map(_number, _list(value)))
    if len(numbers) != _STEPS + 1:
        raise ValueError(f"{len(numbers)} numbers stand where {_STEPS + 1} should")
    return numbers


def _ordered(value: object) -> tuple[float, ...]:
    numbers = _steps(value)
    if list(numbers) != sorted(numbers):
        raise ValueError("its quantiles are not in order")
    return numbers


def _numbers(value: object) -> dict[str, float]:
    return {name: _number(weight) for name, weight in _object(value).items()}


def _range(value: object) -> tuple[float, float]:
    least, most = map(_number, _list(value))
    if least > most:
        raise ValueError(f"{least} to {most} is not a range")
    return least, most


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is not an object")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is not a list")
    return value


def _pairs(value: object) -> Iterator[list[object]]:
    for pair in _list(value):
        yield _list(pair)
