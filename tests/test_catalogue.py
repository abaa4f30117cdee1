"""The catalogue: built-in models, the user's over them, and finding one by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from harpoon_cli.catalogue import BUILT_IN, Catalogue, ModelEntry, merge
from harpoon_cli.domain import PoolId, Requirements
from harpoon_cli.errors import ConfigurationFault, NoSuchModel
from harpoon_cli.settings.load import load
from harpoon_cli.settings.show import model_entries


@pytest.mark.parametrize(
    ("name", "vram_mb", "tflops", "context_tokens"),
    [
        ("gemma-270m", 1024, 1, 8192),
        ("gemma-2b", 2048, 5, 8192),
        ("mistral-7b", 6144, 10, 32768),
        ("qwen-30b", 20480, 30, 32768),
        ("qwen-32b", 32768, 40, 32768),
    ],
)
def test_the_built_in_models_have_their_numbers(
    name: str, vram_mb: int, tflops: float, context_tokens: int
) -> None:
    model = BUILT_IN.find(name)
    assert model.requirements == Requirements(vram_mb, tflops, name)
    assert (model.context_tokens, model.served_name, model.origin) == (context_tokens, name, "built in")


@pytest.mark.parametrize("name", ["Qwen-30B", "QWEN-30B", "qwen-30b", " Qwen-30b "])
def test_a_name_is_the_same_in_upper_and_lower_case(name: str) -> None:
    assert BUILT_IN.find(name).name == "qwen-30b"


def test_a_model_that_does_not_exist_is_told_with_the_nearest_names() -> None:
    with pytest.raises(NoSuchModel) as caught:
        BUILT_IN.find("qwen-31b")
    assert caught.value.message.startswith("there is no model 'qwen-31b'; nearest: qwen-3")
    assert caught.value.hint == "harpoon models"


@pytest.mark.parametrize("name", ["", "zzzz", "\x1b[31m", "x" * 100_000])
def test_names_that_are_near_to_nothing_are_told_alone(name: str) -> None:
    with pytest.raises(NoSuchModel) as caught:
        BUILT_IN.find(name)
    assert "nearest" not in caught.value.message


def test_an_entry_changes_only_what_it_gives() -> None:
    merged = merge(BUILT_IN, {"Qwen-30B": ModelEntry(vram_mb=12288, origin="harpoon.toml line 1")})
    model = merged.find("qwen-30b")
    assert (model.vram_mb, model.tflops, model.served_name) == (12288, 30, "qwen-30b")
    assert model.origin == "harpoon.toml line 1"
    assert BUILT_IN.find("qwen-30b").vram_mb == 20480


def test_a_model_of_ones_own_takes_its_name_as_served_name() -> None:
    model = merge(BUILT_IN, {"Mine": ModelEntry(vram_mb=1, tflops=2.5)}).find("mine")
    assert (model.name, model.served_name, model.context_tokens, model.pools) == ("mine", "mine", 8192, ())


@pytest.mark.parametrize(
    ("entry", "lacking"),
    [
        (ModelEntry(), "vram_mb and tflops"),
        (ModelEntry(vram_mb=1), "tflops"),
        (ModelEntry(tflops=1), "vram_mb"),
    ],
)
def test_a_model_of_ones_own_needs_memory_and_compute(entry: ModelEntry, lacking: str) -> None:
    with pytest.raises(ConfigurationFault, match=f"the model mine lacks {lacking}$"):
        merge(BUILT_IN, {"mine": entry})


def test_a_catalogue_may_be_empty() -> None:
    with pytest.raises(NoSuchModel):
        Catalogue({}).find("gemma-2b")


def test_tables_of_the_configuration_become_models(tmp_path: Path) -> None:
    (tmp_path / "harpoon.toml").write_text(
        """
        [models.Qwen-30B]
        pools = ["big", 7]
        [models."my-2.5"]
        vram_gb = 1.5
        tflops = 3
        context_tokens = 100
        served_name = "org/my"
        usd_per_million_input = 0.10
        usd_per_million_output = "0.20"
        """
    )
    loaded = load(environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    catalogue = merge(BUILT_IN, model_entries(loaded))
    assert catalogue.find("qwen-30b").pools == (PoolId("big"), PoolId("7"))
    mine = catalogue.find("My-2.5")
    assert (mine.vram_mb, mine.tflops, mine.context_tokens, mine.served_name) == (1536, 3, 100, "org/my")
    assert (mine.usd_per_million_input, mine.usd_per_million_output) == (Decimal("0.10"), Decimal("0.20"))
    assert mine.origin == "harpoon.toml line 5"
