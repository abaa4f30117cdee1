"""A key is found nowhere but in the header that carries it, however loud the command and the platform are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.rig import Operator, Ran
from tests.security.commands import leaves, line
from tests.security.platform import HostilePlatform, hosted
from tests.security.secrets import CANARY, in_files, in_text, spellings

ALL_SPELLINGS = " ".join(spellings().values())


def assert_untold(ran: Ran) -> None:
    assert in_text(ran.out) == []
    assert in_text(ran.err) == []


def at_rest(operator: Operator, *spared: Path) -> list[str]:
    """The operator's files that hold the key. The ledger is left to a test of its own."""
    ledger = operator.home.rglob("ledger.db*")
    return list(in_files(operator.home, (*spared, *ledger)))


def in_argument_vectors() -> list[str]:
    """What of the key is in the command line of any process of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += in_text(file.read_bytes().decode("latin-1"))
        except OSError:  # it has just ended
            continue
    return found


@pytest.mark.parametrize("name", leaves())
def test_no_command_tells_the_key_to_anybody(victim: Operator, hostile: HostilePlatform, name: str) -> None:
    hostile.text = f"before {ALL_SPELLINGS} after"
    for options in (["-vvv", "-o", "table"], ["-vv", "-o", "json"]):
        assert_untold(victim(*line(name), *options))
    hostile.status = 401
    assert_untold(victim(*line(name), "-vvv"))
    assert at_rest(victim) == []


@pytest.mark.parametrize("status", [200, 307, 400, 403, 409, 429, 503])
def test_every_spelling_in_every_refusal_is_covered(
    victim: Operator, hostile: HostilePlatform, status: int
) -> None:
    hostile.text, hostile.status = f"said {ALL_SPELLINGS}", status
    hostile.headers = {"Location": f"http://127.0.0.1:1/?key={CANARY}", "X-Echo": CANARY}
    for options in ([], ["-vv", "-o", "json"]):
        ran = victim("pools", *options)
        assert ran.status != 0
        assert_untold(ran)


@pytest.mark.parametrize("options", ["-vvv", "--no-stream", "-o json", "-o table", "-q"])
def test_an_answer_with_the_key_in_it_is_shown_without(
    victim: Operator, hostile: HostilePlatform, options: str
) -> None:
    hostile.text = f"before {ALL_SPELLINGS} after"
    ran = victim("infer", "Hello", *options.split())
    assert ran.status == 0, ran.err
    assert "before ***" in ran.out
    assert "after" in ran.out
    assert_untold(ran)


@pytest.mark.parametrize("status", [None, 409])
def test_the_ledger_does_not_keep_a_key_that_the_platform_echoes(
    victim: Operator, hostile: HostilePlatform, status: int | None
) -> None:
    hostile.text, hostile.status_of = f"said {ALL_SPELLINGS}", {"POST": status}
    victim("allocate", "-m", "gemma-270m")
    assert list(in_files(victim.home)) == []


@pytest.mark.parametrize("spelling", ["plain", "hex"])
def test_the_key_as_the_id_of_a_lease_is_no_id_and_is_written_down_nowhere(
    victim: Operator, hostile: HostilePlatform, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harpoon_cli.leases.evidence.LISTED_WITHIN_S", 0.1)
    monkeypatch.setattr("harpoon_cli.leases.abandoned.LISTED_WITHIN_S", 0.1)
    hostile.ids, hostile.named = f"alloc-{spellings()[spelling]}", frozenset({"allocation_id"})
    victim.environ["HARPOON_HTTP__CONTROL_S"] = "1"
    victim.environ["HARPOON_LEASE__RELEASE_S"] = "1"
    for command in ("allocate -m gemma-270m", "leases", "release --overdue -vvv"):
        ran = victim(*command.split())
        assert ran.status != 0
        assert_untold(ran)
    assert "holds our key, and cannot be used as an id" in ran.err
    assert list(in_files(victim.home)) == []


def test_the_key_in_the_metadata_of_a_lease_is_not_taken_over_into_a_new_ledger(
    victim: Operator, hostile: HostilePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harpoon_cli.leases.abandoned.LISTED_WITHIN_S", 0.1)
    hostile.tags = {"note": f"said {ALL_SPELLINGS}", CANARY: "said", "until": CANARY}
    victim("allocate", "-m", "gemma-270m")
    for file in victim.home.rglob("ledger.db*"):
        file.unlink()
    victim.environ["HARPOON_LEASE__RELEASE_S"] = "1"
    victim("leases")
    victim("release", "--all")
    assert list(in_files(victim.home)) == []


def by_variable(operator: Operator, url: str) -> list[Path]:
    operator.environ |= {"HOSTED_AI_BASE_URL": url, "HOSTED_AI_API_KEY": CANARY}
    return []


def by_dotenv(operator: Operator, url: str) -> list[Path]:
    dotenv = operator.cwd / ".env"
    dotenv.write_text(f"HOSTED_AI_BASE_URL={url}\nHOSTED_AI_API_KEY='{CANARY}'\n")
    return [dotenv]


def by_file(operator: Operator, url: str) -> list[Path]:
    place = operator.home / "key"
    place.write_text(CANARY)
    place.chmod(0o600)
    operator.configure(f'[platform]\nbase_url = "{url}"\napi_key_file = "{place}"\n')
    return [place]


def by_directory(operator: Operator, url: str) -> list[Path]:
    mounted = operator.home / "mounted"
    mounted.mkdir()
    (mounted / "config.toml").write_text(f'[platform]\nbase_url = "{url}"\n')
    (mounted / "api_key").write_text(CANARY)
    (mounted / "api_key").chmod(0o400)
    operator.environ["HARPOON_CONFIG"] = str(mounted)
    return [mounted / "api_key"]


def by_command(operator: Operator, url: str) -> list[Path]:
    place = operator.home / "vault"
    place.write_text(CANARY)
    shell = f"echo noise {shlex.quote(CANARY)} >&2; cat {place}"
    script = operator.home / "ask"
    script.write_text(f"#!/bin/sh\n{shell}\n")
    script.chmod(0o700)
    operator.configure(f'[platform]\nbase_url = "{url}"\napi_key_command = ["{script}"]\n')
    return [place, script]


def by_keyring(operator: Operator, url: str) -> list[Path]:
    operator.configure(f'[platform]\nbase_url = "{url}"\napi_key_keyring = "harpoon/me"\n')
    return []


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, which is an optional extra and needs a desktop."""
    package, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    package.get_password = lambda service, user: CANARY  # type: ignore[attr-defined]  # what it is there for
    errors.KeyringError = RuntimeError  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


PLACES = [by_variable, by_dotenv, by_file, by_directory, by_command, by_keyring]


@pytest.mark.usefixtures("keyring")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_from_every_place_the_key_goes_into_the_header_and_nowhere_else(
    harpoon: Operator, hostile: HostilePlatform, place: object
) -> None:
    seen: list[str] = []
    hostile.watch = lambda: seen.extend(in_argument_vectors())
    with hosted(hostile) as url:
        assert callable(place)
        spared = place(harpoon, url)
        hostile.text = CANARY
        for command in ("pools -vvv", "allocate --vram 100MB -vvv", "release --all -vvv", "doctor -vvv"):
            assert_untold(harpoon(*command.split()))
        for command in ("config show --origin", "config validate -o json", "config path"):
            assert_untold(harpoon(*command.split()))
    assert seen == []
    assert at_rest(harpoon, *spared) == []
    assert {one.headers["authorization"] for one in hostile.requests} == {f"Bearer {CANARY}"}
    for one in hostile.requests:
        rest = {name: value for name, value in one.headers.items() if name != "authorization"}
        assert in_text(f"{one.target} {rest} {one.body!r}") == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_the_key_or_the_prompt_to_another_host(
    victim: Operator, hostile: HostilePlatform, tmp_path: Path, status: int
) -> None:
    foreign = HostilePlatform(tmp_path / "foreign")
    with hosted(foreign) as elsewhere:
        hostile.status, hostile.headers = status, {"Location": f"{elsewhere}/v1/pools"}
        assert victim("infer", "Hello").status != 0
        assert victim("pools").status != 0
    assert foreign.requests == []


def test_another_host_for_prompts_gets_the_prompt_and_not_the_key(
    victim: Operator, hostile: HostilePlatform, tmp_path: Path
) -> None:
    foreign = HostilePlatform(tmp_path / "foreign")
    foreign.text = "an answer"
    with hosted(foreign) as elsewhere:
        victim.environ["HARPOON_PLATFORM__INFERENCE_URL"] = elsewhere
        assert victim("infer", "Hello").out == "an answer\n"
    assert [in_text(f"{one.target} {one.headers} {one.body!r}") for one in foreign.requests] == [[]]


@pytest.mark.parametrize("where", ["platform", "sandbox"])
@pytest.mark.parametrize("options", ["-vvv", "-o json", "--keep", "--no-stream --explain"])
def test_prompts_and_answers_are_not_at_rest(
    harpoon: Operator, hostile: HostilePlatform, where: str, options: str
) -> None:
    hostile.text = "a-canary-of-an-answer"
    prompt = "a-canary-of-a-prompt, to be answered by a canary"
    with hosted(hostile) as url:
        if where == "platform":
            by_variable(harpoon, url)
        ran = harpoon(
            "infer", prompt, "-m", "gemma-270m", "--system", "a-canary-of-a-system", *options.split()
        )
        assert ran.status in (0, 6), ran.err
        harpoon("leases", "--all", "-o", "json")
    answer = ran.out.strip()[:30] if where == "sandbox" and "json" not in options else "a-canary"
    assert answer
    for file in harpoon.home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"a-canary" not in content, file
            assert answer.encode() not in content, file
