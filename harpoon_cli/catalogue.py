"""The models harpoon knows: built-in entries with the user's laid over them. Pure; reads nothing.

A name is the same in upper and lower case, and kept in lower case. The sources of the built-in numbers do
not agree on two models. Gemma-270M: 512 to 1024 MB and 1 TFLOPS, or 2 GB and 5 TFLOPS; the first is taken,
with its upper memory. Qwen-30B: 12 to 20 GB and 15 TFLOPS, or 20 GB and 30 TFLOPS; the second is taken, so
that what fits here fits there. One [models.NAME] table changes any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from harpoon_cli.built_in import BUILT_IN_MODELS
from harpoon_cli.domain import Model, PoolId
from harpoon_cli.errors import ConfigurationFault, NoSuchModel
from harpoon_cli.values import Struct

T = TypeVar("T")


class ModelEntry(Struct, frozen=True):
    """What a user says about a model; None leaves a value as it is."""

    vram_mb: int | None = None
    tflops: float | None = None
    context_tokens: int | None = None
    served_name: str | None = None
    pools: tuple[PoolId, ...] | None = None
    usd_per_million_input: Decimal | None = None
    usd_per_million_output: Decimal | None = None
    origin: str = "configuration"
    kv_kb_per_token: float | None = None


DEFAULT_CONTEXT_TOKENS = 8192
"""The context of a user's model that does not say."""


class Catalogue(Struct, frozen=True):
    """Models by their name in lower case."""

    models: Mapping[str, Model]

    def find(self, name: str) -> Model:
        """The model of that name, in whatever case; `NoSuchModel` names the nearest."""
        found = self.models.get(name.strip().lower())
        if found is None:
            raise NoSuchModel(f"there is no model {name!r}{self._nearest(name)}", hint="harpoon models")
        return found

    def _nearest(self, name: str) -> str:
        from difflib import get_close_matches  # only this error needs it

        likely = get_close_matches(name.strip().lower()[:200], list(self.models), n=3, cutoff=0.5)
        return f"; nearest: {', '.join(likely)}" if likely else ""


BUILT_IN = Catalogue(
    MappingProxyType(
        {
            name: Model(name, vram_mb, tflops, context_tokens, served_name=name, kv_kb_per_token=kv_kb)
            for name, vram_mb, tflops, context_tokens, kv_kb in BUILT_IN_MODELS
        }
    )
)


def merge(catalogue: Catalogue, entries: Mapping[str, ModelEntry]) -> Catalogue:
    """The catalogue with the user's entries laid over it.

    An entry with a known name changes only what it gives; a new one must give vram_mb and tflops, else
    `ConfigurationFault`.
    """
    models = dict(catalogue.models)
    for written, entry in entries.items():
        name = written.lower()
        models[name] = _laid_over(models.get(name), name, entry)
    return Catalogue(MappingProxyType(models))


def _laid_over(known: Model | None, name: str, entry: ModelEntry) -> Model:
    base = known or Model(name, 0, 0, DEFAULT_CONTEXT_TOKENS, served_name=name)
    model = Model(
        name=name,
        vram_mb=_given(entry.vram_mb, base.vram_mb),
        tflops=_given(entry.tflops, base.tflops),
        context_tokens=_given(entry.context_tokens, base.context_tokens),
        served_name=_given(entry.served_name, base.served_name),
        pools=_given(entry.pools, base.pools),
        usd_per_million_input=_given(entry.usd_per_million_input, base.usd_per_million_input),
        usd_per_million_output=_given(entry.usd_per_million_output, base.usd_per_million_output),
        origin=entry.origin,
        kv_kb_per_token=_given(entry.kv_kb_per_token, base.kv_kb_per_token),
    )
    missing = [key for key, value in (("vram_mb", model.vram_mb), ("tflops", model.tflops)) if value <= 0]
    if missing:
        raise ConfigurationFault(
            f"{entry.origin}: the model {name} lacks {' and '.join(missing)}",
            hint=f"a model that is not built in needs both: [models.{name}] vram_mb = 8192, tflops = 12",
        )
    return model


def _given(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value
