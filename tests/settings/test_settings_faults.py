"""Everything from outside may be wrong: each fault names the file, the key, what is wrong, the way out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.errors import ConfigurationFault, HarpoonError, UsageFault
from harpoon_cli.settings.load import load, problems
from harpoon_cli.settings.variables import environment_layer
from tests.settings.place import Place, make_place, write


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "[lease]\nttl = 1",
            "harpoon.toml line 2: there is no setting lease.ttl",
            "did you mean lease.ttl_s?",
        ),
        ("ttl_s = 1", "harpoon.toml line 1: there is no setting ttl_s", "did you mean lease.ttl_s?"),
        (
            "[leases]\nttl_s = 1",
            "harpoon.toml line 1: there is no setting leases",
            "did you mean lease?",
        ),
        (
            "[xyzzy]",
            "harpoon.toml line 1: there is no setting xyzzy",
            "harpoon config show lists all settings",
        ),
        (
            "[profiles.p.lease]\nttl = 1",
            "harpoon.toml line 2: there is no setting profiles.p.lease.ttl",
            "did you mean profiles.p.lease.ttl_s?",
        ),
        (
            "[models.a]\nvram = 1",
            "harpoon.toml line 2: there is no setting models.a.vram",
            "did you mean models.a.vram_mb?",
        ),
        (
            "[models.qwen2.5-7b]\nvram_mb = 1",
            "harpoon.toml line 1: there is no setting models.qwen2.5-7b",
            'a name with a dot goes in quotes: [models."qwen2.5-7b"]',
        ),
        (
            "lease = 1",
            "harpoon.toml line 1: lease is a table: write [lease] and its settings below it",
            ConfigurationFault.way_out,
        ),
        (
            "[retry]\nattempts = true",
            "harpoon.toml line 2: retry.attempts must be a whole number from 1 to 10, not true",
            "for example attempts = 3",
        ),
        (
            "[retry]\nattempts = 2.5",
            "harpoon.toml line 2: retry.attempts must be a whole number from 1 to 10, not 2.5",
            "for example attempts = 3",
        ),
        (
            "[output]\ncolor = 'xml'",
            "harpoon.toml line 2: output.color must be one of auto, always, never, not 'xml'",
            'for example color = "auto"',
        ),
        (
            "[platform]\nlists = 'perhaps'",
            "harpoon.toml line 2: platform.lists must be true or false, not 'perhaps'",
            "for example lists = true",
        ),
        (
            "[routing.threshold]\nx = 1",
            "harpoon.toml line 1: routing.threshold must be a number from 0 to 1, not a table",
            "for example threshold = 0.5",
        ),
        (
            "[platform]\nproxy = 'http://ann:secret@p'",
            "harpoon.toml line 2: there is no setting platform.proxy",
            "did you mean http.proxy?",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(
    place: Place, text: str, message: str, hint: str | None
) -> None:
    place.project(text + "\n")
    fault = place.fault()
    assert (fault.message, fault.hint) == (message, hint)


@pytest.mark.parametrize(
    "text",
    [
        "[lease]\nttl_s = 'soon'",
        "[lease]\nttl_s = 0",
        "[lease]\nttl_s = 1.5",
        "[lease]\nttl_s = '40d'",
        "[lease]\nready_s = inf",
        "[lease]\nmax_cost = nan",
        "[lease]\nmax_cost = -1",
        "[lease]\nmax_cost = 1e400",
        "[routing]\nthreshold = nan",
        "[routing]\nsmall = ''",
        "[routing]\nsmall = 3",
        "[platform]\ncurrency = 'dollars'",
        "[platform]\npool_id = 'a b'",
        "[platform]\npool_id = true",
        "[platform]\nbase_url = ''",
        "[platform]\nbase_url = 'ftp://x'",
        "[platform]\nbase_url = 'api.hosted.ai'",
        "[platform]\napi_key_expires = 'soon'",
        '[platform]\nbase_url = "https://x\\r\\nHost: y"',
        "[platform.paths]\nallocate = 'v1/allocate'",
        "[platform.paths]\nallocate = '//evil.example/x'",
        "[platform.paths]\nallocate = '/a/../b'",
        "[platform.paths]\nallocate = '/a?x=1'",
        "[platform.paths]\nallocate = 'https://evil.example'",
        '[platform.names]\nallocation_id = "a b"',
        '[platform.names]\n"a b" = "id"',
        '[models."a b"]\nvram_mb = 1',
        "[models.a]\nvram_mb = 0",
        "[models.a]\npools = 'p'",
        "[models.a]\npools = [true]",
        "[sandbox]\nthreads = 99999999999999999999",
    ],
)
def test_values_that_cannot_be_used_are_faults(place: Place, text: str) -> None:
    place.project(text + "\n")
    fault = place.fault()
    assert fault.message.startswith("harpoon.toml")
    assert "\n" not in fault.message


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[lease\n", "line 1, column 7"),
        ("a = 1\na = 2\n", "line 2"),
        ("x = \x00\n", "line 1, column 5"),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "{a = " * 20_000, "nested too deeply"),
        (".".join(["a"] * 60_000) + " = 1", "more than 100 dots"),
        ("a = " + "9" * 5_000, "not valid TOML"),
    ],
)
def test_broken_or_hostile_toml_is_told_with_its_place(place: Place, text: str, where: str) -> None:
    place.project(text)
    message = place.fault().message
    assert message.startswith("harpoon.toml")
    assert where in message


def test_a_file_that_is_not_utf8_is_told_with_its_line(place: Place) -> None:
    place.project("").write_bytes(b"# fine\nx = '\xff'\n")
    assert place.fault().message == "harpoon.toml line 2 is not UTF-8 text"


def test_a_byte_order_mark_does_no_harm(place: Place) -> None:
    place.project("").write_bytes(b"\xef\xbb\xbf[lease]\nttl_s = 5\n")
    assert place.load().settings.lease.ttl_s == 5


def test_a_directory_in_place_of_a_file_is_told(place: Place) -> None:
    (place.cwd / "harpoon.toml").mkdir()
    fault = place.fault()
    assert fault.message == f"the configuration file {place.cwd}/harpoon.toml is a directory, not a file"
    assert fault.hint == "harpoon config path lists the files that count"


def test_a_file_of_ten_megabytes_is_not_read(place: Place) -> None:
    place.project("#" * 10_000_000)
    assert "is too large: it has 10000000 bytes, and at most 262144 are read" in place.fault().message


def test_a_pipe_in_place_of_a_file_does_not_hang(place: Place) -> None:
    os.mkfifo(place.cwd / "harpoon.toml")
    os.mkfifo(place.cwd / ".env")
    found = problems(environ=place.environ, cwd=place.cwd)
    assert "is not a regular file" in found[0].message
    (place.cwd / "harpoon.toml").unlink()
    assert "is not a regular file" in place.fault().message


def test_a_device_in_place_of_a_file_is_refused(place: Place) -> None:
    (place.cwd / "harpoon.toml").symlink_to("/dev/zero")
    assert "is not a regular file" in place.fault().message


def test_a_dangling_link_is_not_taken_for_no_file(place: Place) -> None:
    (place.cwd / "harpoon.toml").symlink_to("/nowhere/at/all")
    assert "cannot be read: No such file or directory" in place.fault().message


def test_a_named_file_that_is_not_there_is_a_fault(place: Place) -> None:
    assert "cannot be read: No such file or directory" in place.fault(config=Path("/nowhere.toml")).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_without_permission_is_told(place: Place) -> None:
    place.project("").chmod(0)
    assert "cannot be read: Permission denied" in place.fault().message


def test_an_unknown_variable_is_a_fault_with_the_nearest_name(place: Place) -> None:
    place.environ["HARPOON_LEASE__TTL"] = "5"
    fault = place.fault()
    assert fault.message == "environment HARPOON_LEASE__TTL: there is no setting HARPOON_LEASE__TTL"
    assert fault.hint == "did you mean HARPOON_LEASE__TTL_S?"


@pytest.mark.parametrize(
    ("variable", "likely"),
    [
        ("HARPOON_PLATFORM__BASE_URL", "HOSTED_AI_BASE_URL"),
        ("HARPOON_PLATFORM__API_KEY", "HOSTED_AI_API_KEY"),
        ("HARPOON_POOL_ID", None),
        ("HOSTED_AI_URL", "HOSTED_AI_BASE_URL"),
        ("HOSTED_AI_KEY", "HOSTED_AI_API_KEY"),
        ("HARPOON_MODELS__X__VRAM_MB", None),
    ],
)
def test_likely_slips_in_variables_are_held_up(place: Place, variable: str, likely: str | None) -> None:
    place.environ[variable] = "x"
    fault = place.fault()
    assert variable in fault.message or "cannot be set by variables" in fault.message
    assert likely is None or fault.hint == f"did you mean {likely}?"


@pytest.mark.parametrize(
    "variable",
    [
        "HOSTED_AI_OVERCOMMIT",
        "HARPOON_SERVICE_HOST",
        "HARPOON_SERVICE_PORT",
        "HARPOON_PORT",
        "HARPOON_PORT_8080_TCP_ADDR",
        "HARPOON_METRICS_SERVICE_PORT_HTTP",
        "_HARPOON_COMPLETE",
        "harpoon_lease__ttl",
    ],
)
def test_variables_of_other_tools_are_left_alone(place: Place, variable: str) -> None:
    place.environ[variable] = "tcp://10.0.0.1:80"
    assert place.load().settings.lease.ttl_s == 900


def test_the_value_of_a_variable_is_told_with_its_name(place: Place) -> None:
    place.environ["HARPOON_RETRY__ATTEMPTS"] = "many"
    assert place.fault().message == (
        "environment HARPOON_RETRY__ATTEMPTS: retry.attempts must be a whole number from 1 to 10, not 'many'"
    )


def test_a_long_value_is_cut_in_the_message(place: Place) -> None:
    place.environ["HARPOON_RETRY__ATTEMPTS"] = "x" * 10_000
    assert len(place.fault().message) < 250


def test_a_password_in_a_url_is_not_told(place: Place) -> None:
    place.environ["HARPOON_HTTP__PROXY"] = "socks://ann:hunter2@proxy"
    message = place.fault().message
    assert "hunter2" not in message
    assert "must be a proxy's URL" in message


def test_a_wrong_flag_is_a_usage_fault(place: Place) -> None:
    with pytest.raises(UsageFault, match=r"^--ttl must be 1 second to 30 days"):
        place.load({"lease.ttl_s": "soon"})


@pytest.mark.parametrize("key", ["platform.api_key", "platform.api_key_file", "lease.nonsense", "lease"])
def test_flags_cannot_set_keys_or_what_does_not_exist(place: Place, key: str) -> None:
    with pytest.raises(UsageFault, match="cannot be set by a flag"):
        place.load({key: "x"})


def test_a_dotenv_line_is_told_with_its_number(place: Place) -> None:
    place.dotenv("OTHER=1\nHARPOON_LEASE__TTL_S=soon\n")
    assert place.fault().message.startswith(".env line 2 (HARPOON_LEASE__TTL_S): lease.ttl_s must be")


def test_a_dotenv_of_other_tools_is_left_alone(place: Place) -> None:
    place.dotenv("").write_bytes(b"OTHER='\xff\nnot = even ' close\n")
    assert place.load().files == ()


def test_a_virtual_environment_called_dotenv_is_passed_over(place: Place) -> None:
    (place.cwd / ".env").mkdir()
    assert place.load().files == ()


def test_a_broken_line_of_ours_in_a_dotenv_is_a_fault(place: Place) -> None:
    place.dotenv('A=1\nHARPOON_LEASE__TTL_S="15m\n')
    assert place.fault().message == ".env line 2 is not understood"


def test_a_dotenv_of_ours_that_is_not_utf8_is_a_fault(place: Place) -> None:
    place.dotenv("").write_bytes(b"HARPOON_LIVE=1\nX=\xff\n")
    assert place.fault().message == ".env line 2 is not UTF-8 text"


def test_several_faults_are_counted_and_told_by_validate(place: Place) -> None:
    place.project("[lease]\nttl = 1\n[retry]\nattempts = 0\n[profiles.p.http]\nconnect_s = 'x'\n")
    assert place.fault().hint == "did you mean lease.ttl_s?; 1 more: harpoon config validate"
    told = [fault.message for fault in problems(environ=place.environ, cwd=place.cwd)]
    assert [message.split(" must be")[0] for message in told] == [
        "harpoon.toml line 2: there is no setting lease.ttl",
        "harpoon.toml line 4: retry.attempts",
        "profile p in harpoon.toml line 6: http.connect_s",
    ]


def test_validate_finds_nothing_wrong_with_a_good_configuration(place: Place) -> None:
    place.user("[lease]\nttl_s = 5\n[profiles.p.lease]\nttl_s = 6\n")
    assert problems(environ=place.environ, cwd=place.cwd) == ()


@given(content=st.binary(max_size=200))
def test_any_bytes_in_a_file_load_or_are_a_configuration_fault(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("any")
    file = directory / "any.toml"
    file.write_bytes(content)
    found = problems(config=file, environ={"HOME": str(directory)}, cwd=directory)
    assert all("any.toml" in fault.message for fault in found)
    if not found:
        load(config=file, environ={"HOME": str(directory)}, cwd=directory)


@given(value=st.text(max_size=50), name=st.sampled_from(["LEASE__TTL_S", "PLATFORM__API_KEY_COMMAND", "X"]))
def test_any_variable_loads_or_is_a_fault(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    place = make_place(tmp_path_factory.mktemp("any"))
    place.environ[f"HARPOON_{name}"] = value
    found = problems(environ=place.environ, cwd=place.cwd)
    assert all(f"HARPOON_{name}" in fault.message for fault in found)
    if not found:
        place.load()


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_variables_without_our_prefix_never_matter(environ: dict[str, str]) -> None:
    ours = ("HARPOON_", "HOSTED_AI_")
    faults: list[HarpoonError] = []
    others = {name: value for name, value in environ.items() if not name.startswith(ours)}
    assert environment_layer(others, faults).values == {}
    assert faults == []


def test_a_file_that_is_also_named_by_a_link_is_read(place: Place) -> None:
    target = write(place.home / "dotfiles" / "harpoon.toml", "[lease]\nttl_s = 5\n")
    place.user_file.parent.mkdir(parents=True)
    place.user_file.symlink_to(target)
    assert place.load().settings.lease.ttl_s == 5
