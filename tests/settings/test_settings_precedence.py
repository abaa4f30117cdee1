"""Which source wins, and that each value says where it came from."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from harpoon_cli.settings.load import Loaded
from tests.settings.place import Place, write

SOURCES = ["user file", "user profile", "project file", "project profile", ".env", "environment", "flag"]
"""Weakest first."""

ORIGINS = {
    "user file": "~/.config/harpoon/config.toml line 2",
    "user profile": "profile prod in ~/.config/harpoon/config.toml line 4",
    "project file": "harpoon.toml line 2",
    "project profile": "profile prod in harpoon.toml line 4",
    ".env": ".env line 1 (HARPOON_LEASE__TTL_S)",
    "environment": "environment HARPOON_LEASE__TTL_S",
    "flag": "flag --ttl",
}


def lay_out(place: Place, sources: list[str]) -> dict[str, object]:
    """Make each of the sources say a lease.ttl_s of its own: 100, 200, … in the order of SOURCES."""
    value = {source: (SOURCES.index(source) + 1) * 100 for source in sources}
    for make, which in ((place.user, "user"), (place.project, "project")):
        plain = f"ttl_s = {value[f'{which} file']}" if f"{which} file" in sources else ""
        profile = f"ttl_s = {value[f'{which} profile']}" if f"{which} profile" in sources else ""
        make(f"[lease]\n{plain}\n[profiles.prod.lease]\n{profile}\n")
    if ".env" in sources:
        place.dotenv(f"HARPOON_LEASE__TTL_S={value['.env']}\n")
    if "environment" in sources:
        place.environ["HARPOON_LEASE__TTL_S"] = str(value["environment"])
    return {"lease.ttl_s": value.get("flag")}


@pytest.mark.parametrize(("weaker", "stronger"), list(pairwise(SOURCES)))
def test_each_source_beats_the_one_below_it(place: Place, weaker: str, stronger: str) -> None:
    flags = lay_out(place, [weaker, stronger])
    loaded = place.load(flags, profile="prod")
    assert loaded.settings.lease.ttl_s == (SOURCES.index(stronger) + 1) * 100
    assert str(loaded.origins["lease.ttl_s"]) == ORIGINS[stronger]


@pytest.mark.parametrize("count", range(1, len(SOURCES) + 1))
def test_the_strongest_of_all_present_sources_wins(place: Place, count: int) -> None:
    flags = lay_out(place, SOURCES[:count])
    loaded = place.load(flags, profile="prod")
    assert loaded.settings.lease.ttl_s == count * 100
    assert str(loaded.origins["lease.ttl_s"]) == ORIGINS[SOURCES[count - 1]]


def test_with_nothing_configured_everything_has_its_default(place: Place) -> None:
    loaded = place.load()
    assert loaded.settings.lease.ttl_s == 900
    assert loaded.settings.platform.base_url is None
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}
    assert loaded.files == ()


def test_the_three_variables_of_the_platform_work_under_their_own_names(place: Place) -> None:
    place.environ |= {
        "HOSTED_AI_BASE_URL": "https://api.hosted.ai",
        "HOSTED_AI_API_KEY": "k",
        "HOSTED_AI_POOL_ID": "gpu-pool-1",
    }
    loaded = place.load()
    platform = loaded.settings.platform
    assert (platform.base_url, platform.pool_id) == ("https://api.hosted.ai", "gpu-pool-1")
    assert platform.api_key is not None
    assert str(loaded.origins["platform.base_url"]) == "environment HOSTED_AI_BASE_URL"


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_counts_as_unset(place: Place, empty: str) -> None:
    place.dotenv("HARPOON_LEASE__TTL_S=60\n")
    place.environ["HARPOON_LEASE__TTL_S"] = empty
    assert place.load().settings.lease.ttl_s == 60


def test_an_empty_variable_in_a_dotenv_counts_as_unset(place: Place) -> None:
    place.user("[lease]\nttl_s = 70\n")
    place.dotenv("HARPOON_LEASE__TTL_S=\n")
    assert place.load().settings.lease.ttl_s == 70


def test_a_flag_that_was_not_used_changes_nothing(place: Place) -> None:
    place.user("[lease]\nttl_s = 70\n")
    assert place.load({"lease.ttl_s": None}).settings.lease.ttl_s == 70


def test_tables_of_several_files_are_laid_over_each_other_key_by_key(place: Place) -> None:
    place.user("[lease]\nttl_s = 70\nmax_cost = 2.50\n[http]\nconnect_s = 1\n")
    place.project('[lease]\nttl_s = "15m"\n')
    loaded = place.load()
    assert loaded.settings.lease.ttl_s == 900
    assert loaded.settings.lease.max_cost == Decimal("2.50")
    assert loaded.settings.http.connect_s == 1
    assert loaded.files == (place.cwd / "harpoon.toml", place.user_file)


@pytest.mark.parametrize("source", ["flag", "environment", ".env", "project", "user"])
def test_a_profile_can_be_chosen_by_every_source(place: Place, source: str) -> None:
    profile = "[profiles.p.lease]\nttl_s = 5\n"
    place.user(('profile = "p"\n' if source == "user" else "") + profile)
    if source == "project":
        place.project('profile = "p"\n')
    if source == ".env":
        place.dotenv("HARPOON_PROFILE=p\n")
    if source == "environment":
        place.environ["HARPOON_PROFILE"] = "p"
    loaded = place.load(profile="p" if source == "flag" else None)
    assert (loaded.settings.lease.ttl_s, loaded.settings.profile) == (5, "p")


def test_a_profile_that_no_file_has_is_a_fault_that_names_who_asked_for_it(place: Place) -> None:
    place.user("[profiles.staging.lease]\nttl_s = 5\n")
    place.environ["HARPOON_PROFILE"] = "stagging"
    fault = place.fault()
    assert fault.message == (
        "environment HARPOON_PROFILE: there is no profile 'stagging' "
        "(looked in: ~/.config/harpoon/config.toml)"
    )
    assert fault.hint == "did you mean staging?"


def test_a_named_file_stands_in_for_project_and_user_file(place: Place, tmp_path: Path) -> None:
    place.user("[lease]\nttl_s = 1\npoll_s = 9\n")
    place.project("[lease]\nttl_s = 2\n")
    named = write(tmp_path / "other.toml", "[lease]\nttl_s = 3\n")
    for loaded in (place.load(config=named), with_variable(place, str(named))):
        assert loaded.settings.lease.ttl_s == 3
        assert loaded.settings.lease.poll_s == 2
        assert loaded.files == (named,)


def with_variable(place: Place, named: str) -> Loaded:
    place.environ["HARPOON_CONFIG"] = named
    return place.load()


def test_the_flag_for_the_file_beats_the_variable(place: Place, tmp_path: Path) -> None:
    place.environ["HARPOON_CONFIG"] = str(write(tmp_path / "a.toml", "[lease]\nttl_s = 3\n"))
    flag = write(tmp_path / "b.toml", "[lease]\nttl_s = 4\n")
    assert place.load(config=flag).settings.lease.ttl_s == 4


def test_a_named_path_may_be_relative_or_start_at_home(place: Place) -> None:
    write(place.cwd / "x.toml", "[lease]\nttl_s = 3\n")
    write(place.home / "y.toml", "[lease]\nttl_s = 4\n")
    assert place.load(config=Path("x.toml")).settings.lease.ttl_s == 3
    place.environ["HARPOON_CONFIG"] = "~/y.toml"
    assert place.load().settings.lease.ttl_s == 4


@pytest.mark.parametrize("name", ["config.toml", "harpoon.toml"])
def test_a_mounted_directory_holds_the_file_and_the_key(place: Place, tmp_path: Path, name: str) -> None:
    write(tmp_path / "mount" / name, '[platform]\nbase_url = "https://api.example"\n')
    write(tmp_path / "mount" / "api_key", "k-mounted\n")
    loaded = place.load(config=tmp_path / "mount")
    assert loaded.settings.platform.api_key_file == str(tmp_path / "mount" / "api_key")
    assert str(loaded.origins["platform.api_key_file"]) == str(tmp_path / "mount" / "api_key")


def test_a_mounted_directory_may_hold_only_the_key(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "mount" / "api_key", "k\n")
    place.environ["HOSTED_AI_BASE_URL"] = "https://api.example"
    assert place.load(config=tmp_path / "mount").settings.platform.api_key_file is not None


def test_a_mounted_directory_without_either_file_is_a_fault(place: Place, tmp_path: Path) -> None:
    assert "holds neither config.toml nor harpoon.toml" in place.fault(config=tmp_path).message


def test_a_mounted_directory_with_both_files_is_a_fault(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "")
    write(tmp_path / "harpoon.toml", "")
    assert "holds both config.toml and harpoon.toml" in place.fault(config=tmp_path).message


def test_a_mounted_key_beside_another_place_of_the_key_is_a_fault(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "config.toml", '[platform]\napi_key_command = "pass x"\n')
    write(tmp_path / "api_key", "k\n")
    assert "contradict each other" in place.fault(config=tmp_path).message


def test_relative_paths_in_a_file_start_from_that_file(place: Place) -> None:
    place.user('[http]\nca_bundle = "ca.pem"\nclient_cert = "~/me.pem"\nclient_key = "/abs/me.key"\n')
    http = place.load().settings.http
    assert http.ca_bundle == str(place.user_file.parent / "ca.pem")
    assert http.client_cert == str(place.home / "me.pem")
    assert http.client_key == "/abs/me.key"


def test_relative_paths_in_a_variable_start_from_the_working_directory(place: Place) -> None:
    place.environ["HARPOON_HTTP__CA_BUNDLE"] = "ca.pem"
    assert place.load().settings.http.ca_bundle == str(place.cwd / "ca.pem")


def test_nested_tables_have_variables_too(place: Place) -> None:
    place.environ |= {
        "HARPOON_PLATFORM__PATHS__ALLOCATE": "/api/leases",
        "HARPOON_PLATFORM__NAMES__ALLOCATION_ID": "id",
        "HARPOON_LIVE": "1",
    }
    settings = place.load().settings
    assert settings.platform.paths.allocate == "/api/leases"
    assert settings.platform.names == {"allocation_id": "id"}
    assert settings.live is True


def test_a_stronger_source_decides_alone_where_the_key_is(place: Place) -> None:
    place.user('[platform]\napi_key_command = "pass x"\n')
    place.environ["HOSTED_AI_API_KEY"] = "k"
    platform = place.load().settings.platform
    assert platform.api_key is not None
    assert platform.api_key_command is None


def test_two_places_of_the_key_in_one_source_contradict_each_other(place: Place) -> None:
    place.user('[platform]\napi_key_command = "pass x"\napi_key_file = "/k"\n')
    fault = place.fault()
    assert "platform.api_key_command (~/.config/harpoon/config.toml line 2)" in fault.message
    assert "platform.api_key_file (~/.config/harpoon/config.toml line 3) contradict" in fault.message


def test_memory_in_gb_replaces_memory_in_mb_of_a_weaker_source(place: Place) -> None:
    place.user("[models.mine]\nvram_mb = 100\ntflops = 1\n")
    place.project("[models.Mine]\nvram_gb = 2\n")
    mine = place.load().settings.models["mine"]
    assert (mine.vram_mb, mine.vram_gb, mine.tflops) == (None, 2, 1)


def test_memory_in_both_units_in_one_table_is_a_contradiction(place: Place) -> None:
    place.user("[models.mine]\nvram_mb = 100\nvram_gb = 1\ntflops = 1\n")
    assert "contradict each other" in place.fault().message
