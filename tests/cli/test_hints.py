"""Every way a platform can fail is told with what helps: a command or a setting."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from harpoon_cli.errors import HarpoonError, Interrupted
from harpoon_cli.render.sink import OutputFault
from tests.cli.rig import Operator, Ran
from tests.servers import Conversation, Script, always, answer, served, silent_after

HELPS = re.compile(r"harpoon [a-z]+|\b(platform|http|retry|lease)\.[a-z_]+|HOSTED_AI_API_KEY")
"""A command of ours, or a setting."""


def error(code: str) -> dict[str, object]:
    return {"error": "the platform's words", "code": code, "details": {}}


def kinds(top: type[HarpoonError]) -> Iterator[type[HarpoonError]]:
    yield top
    for kind in top.__subclasses__():
        yield from kinds(kind)


def told(harpoon: Operator, url: str, *line: str) -> Ran:
    harpoon.environ |= {
        "HOSTED_AI_BASE_URL": url,
        "HOSTED_AI_API_KEY": "k",
        "HARPOON_RETRY__BASE_S": "0.01",
        "HARPOON_BREAKER__FAILURES": "0",
        "HARPOON_HTTP__CONTROL_S": "1.2",
    }
    return harpoon(*line)


def hint_of(ran: Ran) -> str:
    """The one hint of a command that failed, which is no use without a command or a setting in it."""
    assert ran.status > 0
    lines = ran.err.splitlines()
    [hint] = [line for line in lines if line.startswith("hint: ")]
    assert [line for line in lines if line.startswith("error: ")]
    assert HELPS.search(hint), hint
    return hint


@pytest.mark.parametrize("kind", list(kinds(HarpoonError)), ids=lambda kind: str(kind.code))
def test_every_kind_of_error_has_a_way_out(kind: type[HarpoonError]) -> None:
    nothing_to_do = (HarpoonError, Interrupted, OutputFault)
    assert bool(kind.way_out) is (kind not in nothing_to_do)


@pytest.mark.parametrize(
    ("raw", "status", "helps"),
    [
        (answer(503, error("unavailable")), 7, "harpoon doctor"),
        (answer(500), 7, "harpoon doctor"),
        (answer(200, error("10180000")), 1, "platform.base_url"),
        (answer(200), 1, "platform.base_url"),
        (answer(200, b"<html>"), 1, "platform.base_url"),
        (answer(200, b"[]"), 1, "platform.base_url"),
        (answer(307, headers={"Location": "/elsewhere"}), 1, "platform.base_url"),
        (answer(401, error("no_key")), 4, "HOSTED_AI_API_KEY"),
        (answer(403, error("forbidden")), 4, "harpoon doctor"),
        (answer(404, b"<html>"), 7, "platform.paths"),
        (answer(409, error("conflict")), 1, "harpoon doctor"),
        (answer(422, error("invalid")), 1, "harpoon doctor"),
        (answer(429, error("slow_down")), 7, "retry.attempts"),
        (answer(503, headers={"Retry-After": "600"}), 7, "http.control_s"),
        (answer(429, headers={"Retry-After": "600"}), 7, "http.control_s"),
        (b"this is not HTTP\r\n\r\n", 7, "harpoon doctor"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 7, "harpoon doctor"),
    ],
    ids=lambda value: str(value[:40]) if isinstance(value, bytes) else None,
)
def test_an_answer_that_is_none_is_told_with_what_helps(
    harpoon: Operator, raw: bytes, status: int, helps: str
) -> None:
    async def ending(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(raw)

    with served(ending if b"Content-Length: 0" not in raw else always(raw)) as server:
        ran = told(harpoon, server.url, "pools")
    assert (ran.status, helps in hint_of(ran)) == (status, True), ran.err


@pytest.mark.parametrize(
    ("line", "own"),
    [
        (("infer", "Hi", "--cascade", "--check", "pattern=("), "harpoon infer --help"),
        (
            ("bench", "--endpoint", "http://127.0.0.1:9", "-m", "m", "--output-tokens", "x"),
            "harpoon bench --help",
        ),
        (("route", "record", "--file", "gone.txt"), "harpoon route record --help"),
        (("bench", "compare"), "harpoon bench compare --help"),
        (("leases", "--bogus"), "harpoon leases --help"),
    ],
)
def test_an_option_that_cannot_be_used_is_told_with_the_help_of_its_command(
    harpoon: Operator, line: tuple[str, ...], own: str
) -> None:
    assert hint_of(harpoon(*line)) == f"hint: {own}"


@pytest.mark.parametrize("code", ["insufficient_capacity", "no_capacity", "10189007"])
@pytest.mark.parametrize("status", [200, 409, 429, 503])
def test_a_full_pool_is_told_with_the_command_that_shows_what_is_free(
    harpoon: Operator, status: int, code: str
) -> None:
    pool = {"id": "pool", "name": "A pool", "gpu_model": "Card", "available_vgpus": 4, "total_vgpus": 4}

    async def full(conversation: Conversation) -> None:
        while True:
            asked = await conversation.request()
            good = {"pools": [pool]} if asked.target == "/v1/pools" else {"allocations": []}
            refused = asked.method == "POST"
            await conversation.send(answer(status, error(code)) if refused else answer(200, good))

    with served(full) as server:
        ran = told(harpoon, server.url, "allocate", "--vram", "1GB", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (6, "no_capacity"), ran.out
    assert ran.json["errors"][0]["hint"] == "harpoon pools shows what is free"


def test_a_hang_names_all_of_the_time_and_the_setting_that_allows_more(harpoon: Operator) -> None:
    with served(silent_after(b"")) as server:
        ran = told(harpoon, server.url, "pools")
    assert ran.status == 7
    what_happened = ran.err.splitlines()[0]
    assert re.search(r"; 3 attempts took 1\.[12] s, and http\.control_s allows 1\.2 s$", what_happened)
    assert "http.control_s allows longer" in hint_of(ran)


def test_what_was_repeated_in_vain_is_counted(harpoon: Operator) -> None:
    with served(always(answer(503))) as server:
        ran = told(harpoon, server.url, "pools")
    assert re.search(r"answered 503; 3 attempts took 0\.\d s$", ran.err.splitlines()[0]), ran.err


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def not_tls() -> Script:
    async def plain(conversation: Conversation) -> None:
        await conversation.send(answer(400))
        await conversation.until_client_leaves()

    return plain


def test_a_port_where_nothing_listens_is_told_with_the_setting_that_names_it(harpoon: Operator) -> None:
    hint = hint_of(told(harpoon, f"http://127.0.0.1:{free_port()}", "pools"))
    assert hint == "hint: check host and port in platform.base_url: is the platform up?; harpoon doctor"


def test_a_name_that_cannot_be_resolved_is_told_with_the_setting_that_names_it(harpoon: Operator) -> None:
    hint = hint_of(told(harpoon, "https://no-such-host.invalid", "pools"))
    assert "check the host in platform.base_url, and this machine's DNS" in hint


def test_a_certificate_nobody_trusts_is_told_with_the_setting_that_would(harpoon: Operator) -> None:
    with served(always(answer(200)), tls=True) as server:
        assert "http.ca_bundle" in hint_of(told(harpoon, server.url, "pools"))


def test_plain_http_where_tls_belongs_is_told(harpoon: Operator) -> None:
    with served(not_tls()) as server:
        hint = hint_of(told(harpoon, server.url.replace("http:", "https:"), "pools"))
    assert "check that TLS is spoken at platform.base_url" in hint


def test_another_host_for_prompts_is_named_by_its_own_setting(harpoon: Operator) -> None:
    harpoon.environ |= {
        "HARPOON_PLATFORM__CONTROL": "static",
        "HARPOON_PLATFORM__INFERENCE_URL": f"http://127.0.0.1:{free_port()}",
    }
    ran = told(harpoon, "http://127.0.0.1:1", "infer", "Hi")
    assert "platform.inference_url" in hint_of(ran)
