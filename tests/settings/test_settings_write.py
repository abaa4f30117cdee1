"""Starting a configuration file and changing one setting in it."""

from __future__ import annotations

import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.errors import ConfigurationFault, HarpoonError, StorageFault, UsageFault
from harpoon_cli.settings.gather import named_file
from harpoon_cli.settings.origins import Kind
from harpoon_cli.settings.reference import starter
from harpoon_cli.settings.write import Written, edit_line, init, set_value
from tests.settings.place import Place, make_place


def change(place: Place, key: str, value: str, kind: Kind = Kind.USER) -> Written:
    path = place.user_file if kind is Kind.USER else place.cwd / "harpoon.toml"
    return set_value(path, key, value, kind=kind, environ=place.environ, cwd=place.cwd)


def test_init_writes_a_private_starter_in_a_private_directory(place: Place) -> None:
    assert init(place.user_file) == place.user_file
    assert place.user_file.read_text() == starter()
    assert stat.S_IMODE(place.user_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.user_file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("make", ["file", "directory", "dangling link"])
def test_init_overwrites_nothing(place: Place, make: str) -> None:
    place.user_file.parent.mkdir(parents=True)
    if make == "file":
        place.user_file.write_text("mine")
    elif make == "directory":
        place.user_file.mkdir()
    else:
        place.user_file.symlink_to("/nowhere")
    with pytest.raises(ConfigurationFault, match="is there already"):
        init(place.user_file)
    assert make != "file" or place.user_file.read_text() == "mine"


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("lease.ttl_s", "900", 900),
        ("lease.ttl_s", "15m", "15m"),
        ("lease.max_cost", "2.50", 2.5),
        ("live", "true", True),
        ("profile", "p", "p"),
        ("routing.small", "mistral-7b", "mistral-7b"),
        ("routing.small", '"mistral-7b"', "mistral-7b"),
        ("platform.base_url", "https://api.example", "https://api.example"),
        ("platform.pool_id", "12", 12),
        ("platform.names.allocation_id", "id", "id"),
        ('models."my-2.5".vram_gb', "2", 2),
        ("models.mine.pools", '["a", "b"]', ["a", "b"]),
        ("models.mine.served_name", "7", "7"),
        ("profiles.prod.lease.ttl_s", "5m", "5m"),
        ("platform.api_key_command", "pass show x", "pass show x"),
    ],
)
@pytest.mark.parametrize("start", ["nothing", "starter", "plain"])
def test_a_value_is_written_and_read_again(
    place: Place, start: str, key: str, value: str, written: object
) -> None:
    if start == "starter":
        init(place.user_file)
    if start == "plain":
        place.user("# mine\n[lease] # all of it\nready_s = 7 # why\n")
    result = change(place, key, value)
    assert (result.created, result.backup) == (start == "nothing", None)
    found: object = tomllib.loads(place.user_file.read_text())
    for part in key.replace('"my-2.5"', "my_2_5").split("."):
        assert isinstance(found, dict)
        found = found["my-2.5" if part == "my_2_5" else part]
    assert found == written
    if start == "plain":
        assert "# mine\n" in place.user_file.read_text()
        assert "ready_s = 7 # why" in place.user_file.read_text()
    assert stat.S_IMODE(place.user_file.stat().st_mode) == 0o600


def test_the_commented_line_of_the_starter_becomes_the_setting(place: Place) -> None:
    init(place.user_file)
    before = place.user_file.read_text()
    change(place, "lease.ttl_s", "60")
    assert place.user_file.read_text() == before.replace("#ttl_s = 900\n", "ttl_s = 60\n")


def test_a_setting_that_is_there_is_changed_in_its_line(place: Place) -> None:
    place.user("[lease]\n# short\n  ttl_s=60   # a minute\npoll_s = 1\n")
    change(place, "lease.ttl_s", "120")
    assert place.user_file.read_text() == "[lease]\n# short\n  ttl_s= 120   # a minute\npoll_s = 1\n"


def test_where_no_line_can_be_changed_the_old_file_is_kept_beside_the_new(place: Place) -> None:
    old = "# gone\nlease = { ttl_s = 60, poll_s = 1 }\n"
    place.user(old)
    result = change(place, "lease.ttl_s", "120")
    assert result.backup == place.user_file.with_name("config.toml.bak")
    assert result.backup.read_text() == old
    assert tomllib.loads(place.user_file.read_text()) == {"lease": {"ttl_s": 120, "poll_s": 1}}


@pytest.mark.parametrize(
    ("key", "value", "error", "message"),
    [
        ("lease.ttl", "1", UsageFault, "there is no setting lease.ttl"),
        ("lease", "1", UsageFault, "lease is a table"),
        ("a b", "1", UsageFault, "there is no setting a b"),
        ("", "1", UsageFault, "there is no setting"),
        ("profiles.p", "1", UsageFault, "there is no setting profiles.p"),
        ("lease.ttl_s", "soon", ConfigurationFault, "lease.ttl_s must be"),
        ("lease.ttl_s", "1\npoll_s = 3", ConfigurationFault, "lease.ttl_s must be"),
        ("lease.ttl_s", "{ a = 1 }", ConfigurationFault, "lease.ttl_s must be"),
        ("platform.api_key", "sk-1", ConfigurationFault, "harpoon writes no keys into files"),
        ("profiles.p.platform.api_key", "sk-1", ConfigurationFault, "harpoon writes no keys into files"),
        ("platform.api_key_file", "/k", ConfigurationFault, "contradict each other"),
    ],
)
def test_what_would_not_be_usable_is_not_written(
    place: Place, key: str, value: str, error: type[HarpoonError], message: str
) -> None:
    text = '[platform]\napi_key_command = "pass x"\n'
    place.user(text)
    with pytest.raises(error) as caught:
        change(place, key, value)
    assert message in caught.value.message
    assert "sk-1" not in caught.value.message
    assert place.user_file.read_text() == text


def test_a_project_file_is_not_given_a_place_of_a_key(place: Place) -> None:
    with pytest.raises(ConfigurationFault, match="is not taken from a project file"):
        change(place, "platform.api_key_file", "/k", Kind.PROJECT)
    assert not (place.cwd / "harpoon.toml").exists()


def test_a_project_file_keeps_its_permissions(place: Place) -> None:
    change(place, "lease.ttl_s", "60", Kind.PROJECT)
    path = place.cwd / "harpoon.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o664)
    change(place, "lease.ttl_s", "61", Kind.PROJECT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_broken_file_is_not_touched(place: Place) -> None:
    place.user("[lease\n")
    with pytest.raises(ConfigurationFault, match="not valid TOML"):
        change(place, "lease.ttl_s", "60")
    assert place.user_file.read_text() == "[lease\n"


def test_a_link_stays_a_link(place: Place) -> None:
    target = place.home / "dotfiles.toml"
    target.write_text("")
    place.user_file.parent.mkdir(parents=True)
    place.user_file.symlink_to(target)
    change(place, "lease.ttl_s", "60")
    assert place.user_file.is_symlink()
    assert "ttl_s = 60" in target.read_text()


def test_nothing_is_left_behind_and_the_old_file_stays_where_the_disk_is_full(place: Place) -> None:
    init(place.user_file)
    before = place.user_file.read_text()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from harpoon_cli.errors import StorageFault\n"
        "from harpoon_cli.settings.files import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_whole(Path(sys.argv[1]), 'x' * 5000, 0o600)\n"
        "except StorageFault as fault: print(fault.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(place.user_file)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write {place.user_file}: ")
    assert place.user_file.read_text() == before
    assert list(place.user_file.parent.iterdir()) == [place.user_file]


def test_a_directory_that_cannot_be_written_is_a_storage_fault(place: Place) -> None:
    blocked = place.home / "file"
    blocked.write_text("")
    with pytest.raises(StorageFault):
        init(blocked / "config.toml")


@given(
    text=st.text(alphabet="abl[]=.\n# \"'{}19_", max_size=60),
    value=st.integers(1, 1000),
)
def test_editing_any_text_writes_exactly_the_one_change_or_refuses(
    tmp_path_factory: pytest.TempPathFactory, text: str, value: int
) -> None:
    place = make_place(tmp_path_factory.mktemp("any"))
    path = place.user(text)
    try:
        change(place, "lease.ttl_s", str(value))
    except HarpoonError:
        assert path.read_text() == text
        return
    wanted = tomllib.loads(text)
    wanted.setdefault("lease", {})["ttl_s"] = value
    assert tomllib.loads(path.read_text()) == wanted


def test_text_that_only_looks_like_a_setting_is_not_changed() -> None:
    text = '[models.mine]\nserved_name = """\nttl_s = 1\n"""\n'
    assert "ttl_s = 1\n" in edit_line(text, ("lease", "ttl_s"), "5")


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("http.proxy", "http://u:pw@proxy.corp:3128", '"http://***@proxy.corp:3128"'),
        ("http.proxy", "http://u:p/w@proxy.corp:3128", '"http://***@proxy.corp:3128"'),
        ("profiles.p.http.proxy", "http://u:pw@proxy.corp:3128", '"http://***@proxy.corp:3128"'),
        ("platform.api_key_command", "pass show pw", '["pass", "***"]'),
        ("platform.api_key_command", '["pass", "pw"]', '["pass", "***"]'),
        ("profiles.p.platform.api_key_command", "pass", '["pass"]'),
    ],
)
def test_a_secret_in_a_value_is_written_and_not_shown(place: Place, key: str, value: str, shown: str) -> None:
    assert change(place, key, value).value == shown
    assert value.strip("[]") in place.user_file.read_text()


def test_a_named_file_keeps_its_permissions_and_a_new_one_is_private(place: Place) -> None:
    for name, made, kept in (("new.toml", None, 0o600), ("old.toml", 0o640, 0o640)):
        path = place.cwd / name
        if made is not None:
            path.touch()
            path.chmod(made)
        set_value(path, "lease.ttl_s", "60", kind=Kind.NAMED, environ=place.environ, cwd=place.cwd)
        assert stat.S_IMODE(path.stat().st_mode) == kept


@pytest.mark.parametrize(
    ("inside", "named"),
    [((), "config.toml"), (("config.toml",), "config.toml"), (("api_key", "harpoon.toml"), "harpoon.toml")],
)
def test_a_named_directory_means_the_configuration_file_in_it(
    place: Place, inside: tuple[str, ...], named: str
) -> None:
    directory = place.cwd / "mounted"
    directory.mkdir()
    for name in inside:
        (directory / name).touch()
    assert named_file(Path("mounted"), place.environ, place.cwd) == directory / named
    assert named_file(None, {**place.environ, "HARPOON_CONFIG": "mounted"}, place.cwd) == directory / named


def test_a_named_directory_with_two_configuration_files_means_neither(place: Place) -> None:
    place.project("")
    (place.cwd / "config.toml").touch()
    with pytest.raises(ConfigurationFault, match="holds both"):
        named_file(place.cwd, place.environ, place.cwd)
