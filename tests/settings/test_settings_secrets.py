"""Where the key comes from, and that no message holds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings.secrets import KeyFound, key_place, resolve_key
from tests.settings.place import KEY, Place, make_place, write


def found(place: Place) -> KeyFound:
    key = resolve_key(place.load(), environ=place.environ, deadline_s=5.0)
    assert key is not None
    return key


def fault(place: Place, *, deadline_s: float = 5.0) -> ConfigurationFault:
    loaded = place.load()
    with pytest.raises(ConfigurationFault) as caught:
        resolve_key(loaded, environ=place.environ, deadline_s=deadline_s)
    assert KEY not in caught.value.message + str(caught.value.hint)
    return caught.value


def script(place: Place, text: str) -> Path:
    """A program called get-key in a directory of PATH."""
    program = write(place.home / "bin" / "get-key", f"#!{sys.executable}\n{text}\n", 0o700)
    place.environ["PATH"] = f"{program.parent}{os.pathsep}{place.environ['PATH']}"
    place.user('[platform]\napi_key_command = "get-key"\n')
    return program


def test_with_no_place_configured_there_is_no_key(place: Place) -> None:
    assert key_place(place.load()) is None
    assert resolve_key(place.load(), environ=place.environ) is None


def test_the_key_is_taken_from_the_environment(place: Place) -> None:
    place.environ["HOSTED_AI_API_KEY"] = f" {KEY}\n"
    assert found(place).secret.reveal() == KEY
    assert found(place).origin == "environment HOSTED_AI_API_KEY"


def test_the_key_is_taken_from_a_dotenv(place: Place) -> None:
    place.dotenv(f"HOSTED_AI_API_KEY='{KEY}'\n")
    assert found(place).secret.reveal() == KEY
    assert found(place).origin == ".env line 1 (HOSTED_AI_API_KEY)"


def test_nothing_in_a_dotenv_is_replaced_by_other_variables(place: Place) -> None:
    place.environ["AWS_SECRET_ACCESS_KEY"] = "aws"
    place.dotenv("HOSTED_AI_API_KEY=${AWS_SECRET_ACCESS_KEY}\n")
    assert found(place).secret.reveal() == "${AWS_SECRET_ACCESS_KEY}"


def test_the_key_is_taken_from_a_private_file(place: Place) -> None:
    write(place.user_file.parent / "api_key", f"{KEY}\n")
    place.user('[platform]\napi_key_file = "api_key"\n')
    assert found(place).secret.reveal() == KEY
    assert found(place).origin == f"file {place.user_file.parent}/api_key"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_for_its_owner_alone_is_accepted(place: Place, mode: int) -> None:
    key = write(place.home / "api_key", KEY, mode)
    place.user(f'[platform]\napi_key_file = "{key}"\n')
    assert found(place).secret.reveal() == KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666, 0o610])
def test_a_file_that_others_may_touch_is_refused(place: Place, mode: int) -> None:
    key = write(place.home / "api_key", KEY, mode)
    place.user(f'[platform]\napi_key_file = "{key}"\n')
    refused = fault(place)
    assert refused.message == f"the key file {key} is open to others (mode {mode:04o})"
    assert f"chmod 600 {key}" in str(refused.hint)


def test_a_link_to_a_private_file_is_followed(place: Place) -> None:
    write(place.home / "real", KEY)
    (place.home / "link").symlink_to(place.home / "real")
    place.user('[platform]\napi_key_file = "~/link"\n')
    assert found(place).secret.reveal() == KEY


def test_a_link_to_a_readable_file_is_refused(place: Place) -> None:
    write(place.home / "real", KEY, 0o644)
    (place.home / "link").symlink_to(place.home / "real")
    place.user('[platform]\napi_key_file = "~/link"\n')
    assert "is open to others" in fault(place).message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "is a directory, not a file"),
        (lambda path: os.mkfifo(path, 0o600), "is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.symlink_to("/nowhere"), "cannot be read: No such file or directory"),
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: write(path, ""), "is empty"),
        (lambda path: write(path, " \n\t\n"), "is empty"),
        (lambda path: write(path, "x" * 10_000_000), "is too large"),
        (lambda path: write(path, "x" * 9_000), "has 9000 characters, more than 8192"),
        (lambda path: write(path, f"{KEY}\nsecond"), "cannot be sent"),
        (lambda path: write(path, f"{KEY} x"), "cannot be sent"),
        (lambda path: write(path, f"{KEY}\x00"), "cannot be sent"),
        (lambda path: write(path, f"{KEY}\u00e9"), "cannot be sent"),
        (lambda path: write(path, f"{KEY}\u2026"), "cannot be sent"),
    ],
)
def test_what_is_no_key_file_is_told(place: Place, make: object, message: str) -> None:
    assert callable(make)
    make(place.home / "api_key")
    place.user('[platform]\napi_key_file = "~/api_key"\n')
    assert message in fault(place).message


def test_the_key_is_taken_from_what_a_program_prints(place: Place) -> None:
    script(place, f"print('{KEY}')")
    assert found(place).secret.reveal() == KEY
    assert found(place).origin == "command get-key (~/.config/harpoon/config.toml line 2)"


def test_the_program_gets_its_arguments_without_a_shell(place: Place) -> None:
    script(place, "import sys; print('-'.join(sys.argv[1:]))")
    place.user("""[platform]\napi_key_command = "get-key 'a$HOME' ;ls"\n""")
    assert found(place).secret.reveal() == "a$HOME-;ls"
    place.user("""[platform]\napi_key_command = ["get-key", "$(id)", "b"]\n""")
    assert found(place).secret.reveal() == "$(id)-b"


def test_the_program_has_no_input_and_the_whole_environment(place: Place) -> None:
    script(place, "import os, sys; print(os.environ['VAULT'] + repr(sys.stdin.read()))")
    place.environ["VAULT"] = "v"
    assert found(place).secret.reveal() == "v''"


def test_a_program_that_fails_is_told_without_what_it_printed(place: Place) -> None:
    script(place, f"import sys; print('{KEY}'); print('{KEY}', file=sys.stderr); sys.exit(3)")
    assert fault(place).message == "platform.api_key_command: get-key ended with status 3"


def test_a_program_that_does_not_end_is_ended(place: Place) -> None:
    script(place, f"import time; print('{KEY}', flush=True); time.sleep(60)")
    late = fault(place, deadline_s=0.5)
    assert late.message == "platform.api_key_command: get-key did not end within 0.5 s"
    assert late.__cause__ is None


def test_a_program_that_prints_nothing_gives_no_key(place: Place) -> None:
    script(place, "pass")
    assert "is empty" in fault(place).message


def test_a_program_that_is_not_there_is_told(place: Place) -> None:
    place.user('[platform]\napi_key_command = "no-such-program-anywhere x"\n')
    assert fault(place).message == "platform.api_key_command: there is no program no-such-program-anywhere"


@pytest.mark.parametrize("command", ["./get-key", "bin/get-key", "../get-key"])
def test_a_program_below_the_working_directory_is_not_run(place: Place, command: str) -> None:
    place.user(f'[platform]\napi_key_command = "{command}"\n')
    assert "is a relative path" in fault(place).message


def test_a_program_found_by_a_relative_path_variable_is_not_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place.cwd / "get-key", "#!/bin/sh\necho x\n", 0o700)
    monkeypatch.chdir(place.cwd)
    place.environ["PATH"] = "."
    place.user('[platform]\napi_key_command = "get-key"\n')
    assert "there is no program get-key" in fault(place).message


@pytest.mark.parametrize("command", ["", "   ", "unclosed 'quote"])
def test_a_command_that_is_none_is_a_fault_when_it_is_read(place: Place, command: str) -> None:
    place.user(f'[platform]\napi_key_command = "{command}"\n')
    assert "platform.api_key_command must be a command" in place.fault().message


def test_the_key_is_taken_from_the_keyring(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = use_keyring(monkeypatch)
    ring["hosted-ai", "ann/admin"] = KEY
    place.user('[platform]\napi_key_keyring = "hosted-ai/ann/admin"\n')
    assert found(place).secret.reveal() == KEY
    assert found(place).origin.startswith("keyring entry hosted-ai/ann/admin (~/.config")


def test_an_entry_that_the_keyring_lacks_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch)
    place.user('[platform]\napi_key_keyring = "hosted-ai/bob"\n')
    lacking = fault(place)
    assert lacking.message == "the keyring has no entry hosted-ai/bob"
    assert lacking.hint == "keyring set hosted-ai bob"


def test_a_keyring_that_cannot_be_asked_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    failing = keyring.core.load_keyring("keyring.backends.fail.Keyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", failing)
    place.user('[platform]\napi_key_keyring = "hosted-ai/bob"\n')
    assert fault(place).message.startswith("the keyring cannot be asked")


def test_without_the_package_the_hint_says_how_to_get_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    place.user('[platform]\napi_key_keyring = "hosted-ai/bob"\n')
    assert fault(place).hint == "pip install 'harpoon-cli[keyring]'"


def use_keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring in memory, through the package's own interface for backends: no desktop is needed."""
    keyring = pytest.importorskip("keyring")
    from keyring.backends.null import Keyring

    ring: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(Keyring, "get_password", lambda _, service, username: ring.get((service, username)))
    monkeypatch.setattr(
        keyring.core, "_keyring_backend", keyring.core.load_keyring("keyring.backends.null.Keyring")
    )
    return ring


def test_a_place_that_fails_is_not_replaced_by_a_weaker_one(place: Place) -> None:
    write(place.home / "api_key", KEY)
    place.user('[platform]\napi_key_file = "~/api_key"\n')
    place.environ["HARPOON_PLATFORM__API_KEY_FILE"] = "/nowhere"
    assert "/nowhere cannot be read" in fault(place).message


@given(key=st.text(min_size=1, max_size=40).filter(lambda text: text.strip()))
def test_a_key_is_either_fit_for_a_header_or_refused_unseen(
    tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    place = make_place(tmp_path_factory.mktemp("any"))
    place.environ |= {"HOSTED_AI_API_KEY": key}
    loaded, fit = place.load(), key.strip().isascii() and key.strip().isprintable() and " " not in key.strip()
    if fit:
        assert found(place).secret.reveal() == key.strip()
        return
    with pytest.raises(ConfigurationFault) as refused:
        resolve_key(loaded, environ=place.environ)
    assert len(key) < 8 or key not in refused.value.message


def test_no_representation_of_the_settings_holds_the_key(place: Place) -> None:
    place.environ["HOSTED_AI_API_KEY"] = KEY
    loaded = place.load()
    assert KEY not in f"{loaded!r} {loaded.settings} {loaded.settings.model_dump()} {found(place)!r}"
