"""What the transport makes of whole answers: values, statuses, errors in all shapes, hostile bodies."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from harpoon_cli.client.refusals import FOR_GOOD_S, MESSAGE_CAP
from harpoon_cli.client.transport import Endpoint, Network, Transport
from harpoon_cli.errors import (
    Effect,
    GarbledAnswer,
    NotAuthorised,
    PlatformError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    UnreadableAnswer,
)
from tests.client.talk import KEY, talking, told, trouble
from tests.servers import FaultyServer, Script, always, answer, once, run, silent_after


def test_a_success_gives_its_json() -> None:
    assert told(always(answer(200, {"id": 7, "price": "0.39"}))) == {"id": 7, "price": "0.39"}


EMPTY = [answer(200), answer(204), answer(200, b" \r\n"), answer(200, b"null")]


@pytest.mark.parametrize("raw", EMPTY)
def test_a_success_without_a_body_gives_none_where_none_is_needed(raw: bytes) -> None:
    assert told(always(raw), may_be_empty=True) is None


@pytest.mark.parametrize("raw", EMPTY)
def test_a_success_without_a_body_cannot_be_read_where_one_is_needed(raw: bytes) -> None:
    error = trouble(always(raw))
    assert type(error) is UnreadableAnswer
    assert "with nothing in it" in error.message


def test_a_list_is_a_value_like_any_other_and_its_reader_decides() -> None:
    assert told(always(answer(200, [1, 2]))) == [1, 2]


@pytest.mark.parametrize(
    ("status", "kind", "effect"),
    [
        (300, GarbledAnswer, Effect.UNKNOWN),
        (400, Refused, Effect.REFUSED),
        (401, NotAuthorised, Effect.REFUSED),
        (402, Refused, Effect.REFUSED),
        (403, NotAuthorised, Effect.REFUSED),
        (404, Refused, Effect.REFUSED),
        (408, TimedOut, Effect.UNKNOWN),
        (409, Refused, Effect.REFUSED),
        (422, Refused, Effect.REFUSED),
        (429, RateLimited, Effect.REFUSED),
        (500, ServerFault, Effect.UNKNOWN),
        (501, Refused, Effect.REFUSED),
        (502, ServerFault, Effect.UNKNOWN),
        (503, ServerFault, Effect.UNKNOWN),
        (599, ServerFault, Effect.UNKNOWN),
        (600, GarbledAnswer, Effect.UNKNOWN),
        (999, GarbledAnswer, Effect.UNKNOWN),
    ],
)
def test_every_class_of_status_has_its_error(status: int, kind: type[PlatformError], effect: Effect) -> None:
    error = trouble(always(answer(status, {"error": "no such thing", "code": "absent"})))
    assert type(error) is kind
    assert (error.status, error.effect, error.platform_code) == (status, effect, "absent")
    assert f"answered {status}: no such thing" in error.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_names_all_three_reasons(status: int) -> None:
    hint = trouble(always(answer(status))).hint or ""
    for reason in ("HOSTED_AI_API_KEY", "expired", "allow-list", "'bearer'"):
        assert reason in hint


def test_a_lack_of_permission_that_comes_as_a_500_is_not_taken_for_a_fault() -> None:
    error = trouble(always(answer(500, {"code": 12370004, "message": "cannot read resource permissions"})))
    assert type(error) is NotAuthorised
    assert error.effect is Effect.REFUSED


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Bad gateway</body></html>", None),
        (b"upstream connect error", None),
        (b"", None),
        (b"\xff\xfe\x00", None),
        (b'{"error": "cut', None),
        (b"[" * 50_000, None),
        (b'"a string"', None),
        (b"{}", None),
    ],
)
def test_an_error_page_that_says_nothing_leaves_the_status_to_speak(body: bytes, said: str | None) -> None:
    error = trouble(always(answer(502, body)))
    assert type(error) is ServerFault
    assert error.message.endswith("/v1/thing answered 502")


def test_a_refusal_stands_even_if_its_words_never_arrive_whole() -> None:
    cut = b"HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{"
    assert type(trouble(once(cut))) is NotAuthorised
    assert type(trouble(silent_after(cut), deadline_s=0.2)) is NotAuthorised


def test_a_refusal_stands_even_if_its_words_are_compressed_or_endless() -> None:
    packed = answer(404, gzip.compress(b'{"error": "x"}'), {"Content-Encoding": "gzip"})
    assert type(trouble(always(packed))) is Refused
    assert type(trouble(always(answer(404, b"x" * 200_000)))) is Refused


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no", "code": "E1", "details": {}},
        {"error": {"message": "no", "type": "E1", "code": None}},
        {"error": {"message": "no", "code": "E1"}, "user_id": "u"},
        {"code": "E1", "message": "no", "errors": []},
        {"code": "E1", "result": "FAILURE", "errors": ["no"], "data": {"a": 1}},
        {"object": "error", "message": "no", "type": "E1"},
        {"error": {"message": "no", "code": "E1"}, "pools": []},
        {"code": "E1", "message": "no", "allocations": [], "next_cursor": "", "meta": {}},
    ],
)
def test_an_error_inside_a_success_is_an_error(body: object) -> None:
    error = trouble(always(answer(200, body)))
    assert type(error) is GarbledAnswer
    assert (error.status, error.effect, error.platform_code) == (200, Effect.UNKNOWN, "E1")
    assert "with an error inside: no" in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"error": None, "pools": []},
        {"error": None},
        {"error": ""},
        {"error": False, "status": "ok"},
        {"code": 0, "message": "success"},
        {"code": 200, "message": "OK", "data": None},
        {"code": "E1", "message": "a product", "allocation_id": "x"},
        {"allocation_id": "x", "status": "failed", "error": "the card fell off the bus"},
        {"result": "SUCCESS"},
        {"message": "hello"},
    ],
)
def test_words_of_an_error_in_a_good_answer_are_no_error(body: object) -> None:
    assert told(always(answer(200, body))) == body


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in to the hotel's network</html>",
        b"OK",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1} {"b": 2}',
        b"\xff\xfe{\x00}\x00\x00",
        b"{\x00}\x00",
        b'"\xed\xa0\x80"',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": 1, "\\u0061": 2}',
    ],
)
def test_what_is_not_json_cannot_be_read(body: bytes) -> None:
    error = trouble(always(answer(200, body, {"Content-Type": "text/html; charset=utf-8"})))
    assert type(error) is UnreadableAnswer
    assert error.status == 200
    assert "/v1/thing answered 200 (text/html): this is not JSON" in error.message


def test_a_redirect_is_never_followed_and_no_other_host_sees_the_key() -> None:
    async def ask() -> tuple[PlatformError, list[object]]:
        async with FaultyServer(always(answer(200, {}))) as other:
            script = always(answer(307, b"", {"Location": f"{other.url}/v1/thing"}))
            async with talking(script) as talk:
                with pytest.raises(GarbledAnswer) as caught:
                    await talk.post()
                return caught.value, list(other.requests)

    error, seen_elsewhere = run(ask())
    assert error.status == 307
    assert "platform.base_url" in (error.hint or "")
    assert not seen_elsewhere


def test_a_redirect_from_another_url_than_the_platforms_names_the_setting_of_that_one() -> None:
    async def ask() -> str:
        async with FaultyServer(always(answer(307, b"", {"Location": "/"}))) as server:
            transport = Transport(Endpoint(server.url, setting="platform.inference_url"))
            try:
                with pytest.raises(GarbledAnswer) as caught:
                    await transport.call("GET", "/", deadline_s=5)
            finally:
                await transport.aclose()
            return caught.value.hint or ""

    assert run(ask()) == "redirects are never followed: set platform.inference_url to where it really is"


@pytest.mark.parametrize("location", ["http://[::1", "\\\\?*", "http://host:99999/", "", "\u00fc:\u00fc"])
def test_a_redirect_to_nowhere_fails_as_one_of_our_errors(location: str) -> None:
    raw = answer(302, b"", {"Location": location.encode().decode("latin-1")})
    assert trouble(always(raw)).effect is Effect.UNKNOWN


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "GZIP", "deflate, gzip"])
def test_a_compressed_answer_is_refused_unread(encoding: str) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    error = trouble(always(answer(200, bomb, {"Content-Encoding": encoding})))
    assert type(error) is GarbledAnswer
    assert "compressed" in error.message


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_an_answer_may_say_that_it_is_not_compressed(encoding: str) -> None:
    assert told(always(answer(200, {}, {"Content-Encoding": encoding}))) == {}


def test_a_body_over_the_cap_is_given_up() -> None:
    network = Network(max_body_bytes=1000)
    assert told(always(answer(200, json.dumps("x" * 998).encode())), network=network) == "x" * 998
    error = trouble(always(answer(200, json.dumps("x" * 999).encode())), network=network)
    assert type(error) is GarbledAnswer
    assert "sent more than 0.000954 MB" in error.message


@pytest.mark.parametrize("length", ["99999999999999", "9" * 19])
def test_a_length_over_the_cap_is_given_up_when_the_bytes_come(length: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()
    error = trouble(silent_after(head + b"x" * 2000), network=Network(max_body_bytes=1000))
    assert type(error) is GarbledAnswer


def value_or_effect(script: Script) -> object:
    try:
        return told(script)
    except PlatformError as error:
        return error.effect if len(error.message) < 1000 else error.message


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 \x1b[2Jgone\x07\xff\r\n",
        b"HTTP/1.1 200 OK\r\nX-Name: \xff\xfe\x80\r\n",
        b"HTTP/1.1 200\r\nDate: \xff\xff not a date\r\n",
        b"HTTP/1.1 200 OK\r\nDate: Mon, 99 Foo 99999 99:99:99 +999999\r\n",
        b"HTTP/1.1 200 OK\r\nDate: 0\r\nDate: 1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xff\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \x00\r\nSet-Cookie: =;=;=\xff; expires=-1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n",
        b"HTTP/1.1 099 Odd\r\n",
        b"HTTP/9.9 200 OK\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x15\x03\x01\x00\x02\x02F",
        b"\r\n",
    ],
)
def test_a_strange_head_gives_an_answer_or_one_of_our_errors(head: bytes) -> None:
    raw = head + b"Content-Length: 2\r\n\r\n{}"
    assert value_or_effect(once(raw)) in ({}, Effect.UNKNOWN)


def test_a_switch_of_protocol_is_no_answer() -> None:
    raw = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert trouble(silent_after(raw + b"binary")).effect is Effect.UNKNOWN


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert told(always(interim + answer(200, {"a": 1}))) == {"a": 1}


def test_no_cookie_is_kept() -> None:
    async def ask() -> list[str]:
        async with talking(always(answer(200, {}, {"Set-Cookie": "a=b; Path=/"}))) as talk:
            await talk.get()
            await talk.get()
            return list(talk.server.requests[1].headers)

    assert "cookie" not in run(ask())


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("0", 0.0)])
def test_retry_after_in_seconds_is_carried(header: str, seconds: float) -> None:
    assert trouble(always(answer(429, b"", {"Retry-After": header}))).retry_after_s == seconds


def test_retry_after_as_a_date_is_carried_as_seconds_from_now() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    wait_s = trouble(always(answer(503, b"", {"Retry-After": later}))).retry_after_s
    assert wait_s is not None
    assert 7000 < wait_s <= 7200


def test_retry_after_as_a_date_goes_by_the_servers_own_clock() -> None:
    dates = {"Date": "Mon, 01 Jan 2001 00:00:00 GMT", "Retry-After": "Mon, 01 Jan 2001 00:00:09 GMT"}
    assert trouble(always(answer(503, b"", dates))).retry_after_s == 9.0


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-1", "1.5", "\u00b2", "1e9", "0x10", "7, 8"),
        *("Mon, 99 Foo 2001", "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 99 Foo 99999 99:99:99 GMT"),
    ],
)
def test_retry_after_that_makes_no_sense_is_none(header: str) -> None:
    raw = answer(429, b"", {"Retry-After": header.encode().decode("latin-1")})
    assert trouble(always(raw)).retry_after_s is None


@pytest.mark.parametrize("header", ["31536000", "99999999", "Fri, 01 Jan 2099 00:00:00 GMT"])
def test_retry_after_is_meant_however_far_off(header: str) -> None:
    error = trouble(always(answer(503, b"", {"Retry-After": header})))
    assert (error.retry_after_s or 0.0) >= 31536000
    assert "it asks to be left alone for " in error.message


@pytest.mark.parametrize(
    "header",
    ["9" * 15, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 01 Jan 99999 00:00:00 GMT"],
)
def test_retry_after_beyond_all_calendars_is_for_good(header: str) -> None:
    error = trouble(always(answer(429, b"", {"Retry-After": header})))
    assert error.retry_after_s == FOR_GOOD_S
    assert error.message.endswith("it asks to be left alone for good")


def test_a_message_says_when_it_may_be_tried_again() -> None:
    error = trouble(always(answer(429, {"error": "slow down"}, {"Retry-After": "90"})))
    _, _, asked = error.message.partition(
        "answered 429: slow down; it asks to be left alone for 90 s, until "
    )
    left = datetime.strptime(asked, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(seconds=60) < left <= timedelta(seconds=90)


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_that_the_server_sends_back_is_taken_out_of_the_message(status: int) -> None:
    error = trouble(always(answer(status, {"error": f"invalid key {KEY}", "code": "x"})))
    assert "invalid key ***" in error.message
    assert KEY not in f"{error} {error!r} {error.hint}"


def test_a_long_message_is_quoted_in_part() -> None:
    assert len(trouble(always(answer(500, {"error": "x" * 60_000}))).message) < 1000


@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize("field", ["code", "message"])
def test_a_key_is_taken_out_before_a_text_is_cut(status: int, field: str) -> None:
    across_the_cut = "x" * (MESSAGE_CAP - len(KEY) + 1) + KEY
    body = {"object": "error", "message": "m", "code": "c"} | {field: across_the_cut}
    error = trouble(always(answer(status, body)))
    assert KEY[:8] not in f"{error} {error!r} {error.message} {error.platform_code}"


def test_a_key_in_a_code_or_a_media_type_is_taken_out() -> None:
    assert trouble(always(answer(401, {"code": f"bad:{KEY}"}))).platform_code == "bad:***"
    raw = answer(200, b"<html>", {"Content-Type": f"text/{KEY}"})
    assert KEY not in trouble(always(raw)).message
