"""How the transport connects: one connection for many calls, TLS, proxies, the key, and what it tells."""

from __future__ import annotations

import asyncio
from itertools import product
from pathlib import Path

import pytest

from harpoon_cli.client.transport import Endpoint, Exchange, Network, Transport, resolve_s
from harpoon_cli.domain import Secret
from harpoon_cli.errors import BrokenOff, ConfigurationFault, NotSent, PlatformError
from tests.client.talk import KEY, Talk, talking
from tests.servers import LOOPBACK_PEM, Conversation, FaultyServer, always, answer, in_turn, once, run

TRUSTING = Network(ca_bundle=str(LOOPBACK_PEM))

# An elliptic key of nobody's, behind a pass phrase that the tests do not know either.
LOCKED_KEY = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjV0f4ddxAoUgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEENpBS/LCeuqhM9I0K8isBm8EgZD/
+TYWsBCLZ7vg+q/EKQ7ZjDH5idTszVJaMaJEmKmnFHfuWxC6M4vW0z1pfujLADo1
8YIHt6coZw0+KgVal4LJw1zdHD2wGAJ09y3lOSnt8aKTkf2osJHQkU/DZLJim8Hz
DHDATKfwPW4eVbe3mtiyirSP82INfo9TMsi/ErOftDKhem817i56Lp37uqRbYd4=
-----END ENCRYPTED PRIVATE KEY-----
"""


def asked_over(network: Network, url: str) -> Transport:
    return Transport(Endpoint(url, Secret(KEY)), network)


def test_many_calls_go_over_one_connection() -> None:
    async def ask() -> Talk:
        async with talking(always(answer(200, {}))) as talk:
            for _ in range(5):
                await talk.get()
            return talk

    talk = run(ask())
    assert talk.server.connections == 1
    assert len(talk.server.requests) == 5
    assert [one.reused for one in talk.exchanges] == [False, True, True, True, True]


def test_a_refusal_leaves_the_connection_open() -> None:
    async def ask() -> int:
        async with talking(in_turn(answer(404, {"error": "no"}), answer(200, {}))) as talk:
            with pytest.raises(PlatformError):
                await talk.get()
            await talk.get()
            return talk.server.connections

    assert run(ask()) == 1


def test_a_connection_that_the_server_has_ended_is_not_used_again() -> None:
    async def ask() -> int:
        async with talking(once(answer(200, {}))) as talk:
            for _ in range(3):
                await talk.get()
                await talk.server.left.wait()
                talk.server.left.clear()
            return talk.server.connections

    assert run(ask()) == 3


def test_calls_at_the_same_time_do_not_get_each_others_answers() -> None:
    async def echo(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            await asyncio.sleep(0)
            await conversation.send(answer(200, request.json))

    async def ask() -> list[object]:
        async with talking(echo) as talk:
            calls = (talk.transport.call("POST", "/", body={"n": n}, deadline_s=10) for n in range(50))
            return list(await asyncio.gather(*calls))

    assert run(ask()) == [{"n": n} for n in range(50)]


def test_the_phases_of_a_call_are_told() -> None:
    async def ask() -> list[Exchange]:
        date = {"Date": "Mon, 01 Jan 2001 00:00:00 GMT"}
        async with talking(always(answer(200, {}, date)), tls=True, network=TRUSTING) as talk:
            await talk.get()
            await talk.get()
            return talk.exchanges

    first, second = run(ask())
    assert (first.method, first.path, first.status, first.sent) == ("GET", "/v1/thing", 200, True)
    assert first.connect_s is not None
    assert first.tls_s is not None
    assert first.first_byte_s is not None
    assert first.total_s is not None
    assert 0 < first.connect_s + first.tls_s <= first.first_byte_s <= first.total_s
    assert (second.connect_s, second.tls_s, second.reused) == (None, None, True)
    assert first.clock_skew_s is not None
    assert first.clock_skew_s < -700_000_000


@pytest.mark.parametrize("status", [200, 500])
def test_a_call_is_observed_once_however_it_ends(status: int) -> None:
    async def ask() -> list[Exchange]:
        async with talking(always(answer(status, b"x"))) as talk:
            with pytest.raises(PlatformError):
                await talk.get()
            return talk.exchanges

    (one,) = run(ask())
    assert one.status == status
    assert one.total_s is not None


def test_a_call_that_found_nobody_is_observed_as_not_sent() -> None:
    async def ask() -> list[Exchange]:
        exchanges: list[Exchange] = []
        transport = Transport(Endpoint("http://127.0.0.1:1"), observe=exchanges.append)
        with pytest.raises(NotSent):
            await transport.call("GET", "/", deadline_s=10)
        await transport.aclose()
        return exchanges

    (one,) = run(ask())
    assert (one.sent, one.reused, one.status, one.first_byte_s) == (False, False, None, None)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [("bearer", "authorization", f"Bearer {KEY}"), ("x-api-key", "x-api-key", KEY), ("none", "x", None)],
)
def test_the_key_goes_into_one_header(auth: str, header: str, value: str | None) -> None:
    async def ask() -> dict[str, str]:
        async with talking(always(answer(200, {})), auth=auth) as talk:
            await talk.post()
            return dict(talk.server.requests[0].headers)

    headers = run(ask())
    assert headers.get(header) == value
    assert [KEY in one for one in headers.values()].count(True) == (0 if value is None else 1)
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("key", ["with space ", "line\nbreak", "schl\u00fcssel", "\x00"])
def test_a_key_that_no_header_can_hold_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        Transport(Endpoint("http://127.0.0.1:1", Secret(key)))
    assert key not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    async def ask() -> str:
        async with talking(always(answer(500, {}))) as talk:
            with pytest.raises(PlatformError) as caught:
                await talk.get()
            return f"{talk.transport.endpoint!r} {talk.exchanges!r} {caught.value!r} {caught.value}"

    assert KEY not in run(ask())


def test_a_bundle_of_authorities_is_trusted_and_others_are_not() -> None:
    async def ask() -> object:
        async with talking(always(answer(200, {"a": 1})), tls=True, network=TRUSTING) as talk:
            return await talk.get()

    assert run(ask()) == {"a": 1}


def test_the_authorities_of_the_environment_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK_PEM))

    async def ask() -> object:
        async with talking(always(answer(200, {"a": 1})), tls=True) as talk:
            return await talk.get()

    assert run(ask()) == {"a": 1}


def test_a_bad_file_of_authorities_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (tmp_path / "absent.pem", empty, tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(ConfigurationFault, match=f"SSL_CERT_FILE .*{path.name}.* cannot be used"):
            Transport(Endpoint("https://127.0.0.1:1"))


def test_plain_http_needs_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    Transport(Endpoint("http://127.0.0.1:1"))


def test_bad_pem_files_name_their_setting(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\x00\xff not PEM")
    with pytest.raises(ConfigurationFault, match=r"http\.ca_bundle"):
        asked_over(Network(ca_bundle=str(garbage)), "https://127.0.0.1:1")
    with pytest.raises(ConfigurationFault, match=r"http\.client_cert or http\.client_key"):
        asked_over(Network(client_cert=str(garbage)), "https://127.0.0.1:1")


def test_a_client_key_behind_a_pass_phrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    locked.write_text(LOCKED_KEY)
    network = Network(client_cert=str(LOOPBACK_PEM), client_key=str(locked))
    with pytest.raises(ConfigurationFault, match=r"http\.client_key"):
        asked_over(network, "https://127.0.0.1:1")


async def tunnel(conversation: Conversation, damaged: asyncio.Event | None = None) -> None:
    """A proxy that makes the tunnel it is asked for, and damages what goes through once it is told to."""
    request = await conversation.request()
    host, _, port = request.target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await conversation.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while content := await source.read(65536):
            whole = damaged is None or not damaged.is_set()
            sink.write(content if whole else content[:-1] + bytes([content[-1] ^ 1]))
            await sink.drain()
        sink.close()

    await asyncio.gather(forward(conversation.reader, writer), forward(reader, conversation.writer))


@pytest.mark.parametrize("variable", [None, "HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_a_proxy_which_sees_a_tunnel_and_no_key(
    variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> tuple[object, FaultyServer, Exchange]:
        async with FaultyServer(tunnel) as proxy:
            network = Network(ca_bundle=TRUSTING.ca_bundle, proxy=None if variable else proxy.url)
            if variable:
                monkeypatch.setenv(variable, proxy.url)
            async with talking(always(answer(200, {"a": 1})), tls=True, network=network) as talk:
                return await talk.get(), proxy, talk.exchanges[0]

    value, proxy, exchange = run(ask())
    assert value == {"a": 1}
    (seen,) = proxy.requests
    assert seen.method == "CONNECT"
    assert KEY not in str(seen)
    assert exchange.tls_s is not None
    assert exchange.tls_s > 0


def test_tls_that_is_damaged_on_the_way_is_an_answer_that_broke_off() -> None:
    damaged = asyncio.Event()

    async def platform(conversation: Conversation) -> None:
        await conversation.request()
        damaged.set()
        await conversation.send(answer(200, {"a": 1}))
        await conversation.until_client_leaves()

    async def ask() -> PlatformError:
        async with FaultyServer(lambda conversation: tunnel(conversation, damaged)) as proxy:
            network = Network(ca_bundle=TRUSTING.ca_bundle, proxy=proxy.url)
            async with talking(platform, tls=True, network=network) as talk:
                with pytest.raises(BrokenOff) as caught:
                    await talk.get()
                return caught.value

    assert "TLS failed" in run(ask()).message


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_tunnel_that_a_proxy_refuses_was_not_sent_to(status: int) -> None:
    async def ask() -> PlatformError:
        async with FaultyServer(always(answer(status))) as proxy:
            transport = asked_over(Network(proxy=proxy.url), "https://platform.invalid")
            with pytest.raises(NotSent) as caught:
                await transport.call("POST", "/v1/allocate", body={}, deadline_s=10)
            await transport.aclose()
            return caught.value

    error = run(ask())
    assert f"cannot reach https://platform.invalid/v1/allocate: {status}" in error.message
    assert str(error.hint).endswith("; harpoon doctor; a proxy is set by http.proxy")


@pytest.mark.parametrize("variable", [None, "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_plain_http_goes_through_no_proxy(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> int:
        async with FaultyServer(always(answer(200, {}))) as proxy:
            if variable:
                monkeypatch.setenv(variable, proxy.url)
            network = Network(proxy=None if variable else proxy.url)
            async with talking(always(answer(200, {})), network=network) as talk:
                await talk.get()
                return proxy.connections

    assert run(ask()) == 0


BAD_PROXIES = ["socks5://u:hunter2@h:1080", "ftp://u:hunter2@h", "http://u:hunter2@h:x", "[::1", "a:b:c"]
BAD_PROXIES += ["http://u:hunter2@h:70000"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *product(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"], BAD_PROXIES),
        ("NO_PROXY", "http://u:hunter2@h:x"),
        ("NO_PROXY", "[::1"),
    ],
)
def test_a_bad_proxy_of_the_environment_names_the_variable_and_not_its_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationFault, match=f"^{variable} cannot be used") as caught:
        Transport(Endpoint("https://127.0.0.1:1"))
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("proxy", ["socks5://h:1", "ftp://h", "http://h:x", "http://[::1", "http://h:70000"])
def test_a_bad_proxy_of_the_settings_names_the_setting(proxy: str) -> None:
    with pytest.raises(ConfigurationFault, match=r"http\.proxy"):
        asked_over(Network(proxy=proxy), "https://127.0.0.1:1")


def test_a_name_is_resolved_and_timed() -> None:
    assert run(resolve_s("http://localhost:1/v1")) >= 0


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_name_that_cannot_be_resolved_says_so(host: str) -> None:
    with pytest.raises(NotSent, match="cannot be resolved"):
        run(resolve_s(f"https://{host}"))
