"""The example file and the option table say what the model says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from harpoon_cli.settings import keys
from harpoon_cli.settings.load import load
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.reference import example, options, starter
from harpoon_cli.settings.show import rows
from tests.settings.place import KEY, Place, write

COMMITTED = Path(__file__).parents[2] / "config.example.toml"


def uncommented() -> str:
    """The example with its unset settings made settings."""
    return re.sub(r"(?m)^#(?! |$)", "", example())


def test_the_committed_example_is_what_the_model_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == example()


def test_the_example_loads_and_changes_nothing(place: Place) -> None:
    assert place.load(config=COMMITTED).settings == Settings()


def test_every_default_in_the_example_is_the_models(place: Place) -> None:
    loaded = place.load(config=COMMITTED)
    given = {key for key, origin in loaded.origins.items() if origin.line is not None}
    with_default = {
        keys.dotted(key)
        for key, entry in keys.entries().items()
        if entry.default is not None and "*" not in key
    }
    assert given == with_default


def test_every_setting_is_in_the_example_at_least_as_a_comment() -> None:
    # Rivals, such as two units of memory, stand side by side: TOML is asked here, not the loader.
    document = tomllib.loads(uncommented())
    for key in keys.entries():
        if key == ("platform", "api_key"):
            continue
        table: object = document
        for part in key:
            assert isinstance(table, dict)
            assert part == "*" or part in table, keys.dotted(key)
            table = next(iter(table.values())) if part == "*" else table[part]


@pytest.mark.parametrize("entry", list(keys.entries().values()), ids=lambda entry: keys.dotted(entry.key))
def test_every_example_of_an_unset_setting_can_be_used(place: Place, entry: keys.Entry) -> None:
    if entry.default is not None or entry.example is None or entry.key[:2] == ("platform", "names"):
        return
    lines = [line for line in example().splitlines() if line.startswith(f"#{entry.key[-1]} = ")]
    table = "models.mine" if entry.key[0] == "models" else ".".join(entry.key[:-1])
    header = f"[{table}]" if table else "[profiles.staging.lease]\n"
    text = f"{header}\n{lines[0][1:]}\n" if table else f"{lines[0][1:]}\n{header}"
    place.load(config=write(place.home / "one.toml", text))


def test_the_starter_changes_nothing_and_holds_every_line_of_the_example(place: Place) -> None:
    loaded = place.load(config=write(place.home / "starter.toml", starter()))
    assert loaded.settings == Settings()
    assert all(origin.line is None for origin in loaded.origins.values())
    assert [line.lstrip("#") for line in starter().splitlines()] == [
        line.lstrip("#") for line in example().splitlines()
    ]


def test_every_setting_has_a_line_about_it_and_says_what_it_wants() -> None:
    for option in options():
        assert option.description, option.key
        assert "\n" not in option.description
        assert option.wants, option.key


def test_every_setting_outside_of_named_tables_has_one_variable_of_its_own() -> None:
    variables = [option.variable for option in options() if "NAME" not in option.key]
    assert None not in variables
    assert len(set(variables)) == len(variables)


def test_keys_are_written_and_read_back() -> None:
    for key in [("lease", "ttl_s"), ("models", "qwen2.5-7b", "vram_mb"), ("models", "a b", "x")]:
        assert keys.undotted(keys.dotted(key)) == key
    for text in ["", ".", "a.", ".a", "a..b", "a b", "a\nb", '"a', "a=1"]:
        assert keys.undotted(text) is None


def test_show_has_a_row_for_every_setting_with_its_origin(place: Place) -> None:
    place.user("[lease]\nttl_s = '15m'\n[models.mine]\nvram_gb = 2\ntflops = 1.5\npools = ['a', 7]\n")
    shown = {row.key: (row.value, str(row.origin)) for row in rows(place.load())}
    assert shown["lease.ttl_s"] == ("900", "~/.config/harpoon/config.toml line 2")
    assert shown["lease.max_cost"] == ("unset", "default")
    assert shown["models.mine.pools"] == ('["a", "7"]', "~/.config/harpoon/config.toml line 6")
    fixed = {keys.dotted(key) for key in keys.entries() if "*" not in key}
    assert fixed <= shown.keys()


def test_show_masks_what_is_secret(place: Place) -> None:
    place.environ["HOSTED_AI_API_KEY"] = KEY
    place.environ["HARPOON_HTTP__PROXY"] = f"http://ann:{KEY}@proxy:3128"
    shown = {row.key: row.value for row in rows(place.load())}
    assert shown["platform.api_key"] == "***"
    assert shown["http.proxy"] == '"http://***@proxy:3128"'
    del place.environ["HOSTED_AI_API_KEY"]
    place.user(f'[platform]\napi_key_command = "echo {KEY}"\n')
    assert {row.key: row.value for row in rows(place.load())}["platform.api_key_command"] == '["echo", "***"]'


def test_without_a_key_it_is_shown_as_unset(tmp_path: Path) -> None:
    loaded = load(environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert {row.key: row.value for row in rows(loaded)}["platform.api_key"] == "unset"
