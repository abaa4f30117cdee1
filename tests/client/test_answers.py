"""Answers put together from the events of a stream, as servers really send them, and as broken ones do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.client.answers import assemble
from harpoon_cli.domain import Completion, Delta, Usage
from harpoon_cli.errors import BrokenOff, GarbledAnswer, PlatformError, ServerFault
from tests.servers import run

DONE = b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def added(text: object, **choice: object) -> bytes:
    """A chunk that adds a text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, **choice}]})


STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def parts_of(*pieces: bytes) -> list[Delta | Completion]:
    async def arriving() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def all_of() -> list[Delta | Completion]:
        return [part async for part in assemble(arriving())]

    return run(all_of())


def whole_of(*pieces: bytes) -> Completion:
    """The whole answer, which is the deltas put together."""
    *deltas, whole = parts_of(*pieces)
    assert isinstance(whole, Completion)
    assert "".join(one.text for one in deltas if isinstance(one, Delta)) == whole.text
    return whole


def test_deltas_come_as_they_arrive_and_the_whole_comes_last() -> None:
    assert parts_of(added("Hel"), added("lo"), STOP, DONE) == [
        Delta("Hel"),
        Delta("lo"),
        Completion("Hello", "stop"),
    ]


def test_what_the_servers_that_there_are_send_is_understood() -> None:
    whole = whole_of(
        b": OPENROUTER PROCESSING\n\n",
        event({"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]}),
        event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": None}),
        event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm", "content": None}}]}),
        added("several tokens at ") + added("once, "),
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b"data:\n\n",
        added("caf\u00e9", finish_reason=None, logprobs=None),
        event({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {}}]}}]}),
        event({"choices": [{"index": 0, "delta": None, "finish_reason": "length"}]}),
        event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}),
        DONE,
    )
    expected = Completion("several tokens at once, caf\u00e9", "length", "m", Usage(5, 7, 12))
    assert whole == expected


@given(st.lists(st.integers(1, 40)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_an_answer_does_not_depend_on_how_its_bytes_are_cut(sizes: list[int], end: bytes) -> None:
    raw = (added("na\u00efve ") + b": ping\n\n" + added("\U0001f9ff") + STOP + DONE).replace(b"\n", end)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(raw[at : at + size])
        at += size
    assert whole_of(*pieces, raw[at:]).text == "na\u00efve \U0001f9ff"


def test_the_last_count_of_tokens_holds_where_every_chunk_has_one() -> None:
    def counted(text: str, tokens: int) -> bytes:
        usage = {"prompt_tokens": 3, "completion_tokens": tokens}
        return event({"choices": [{"delta": {"content": text}}], "usage": usage})

    assert whole_of(counted("a", 1), counted("b", 2), STOP).usage == Usage(3, 2, 5)


def test_a_contract_event_with_its_ending_at_the_top_is_understood() -> None:
    last = {"finish_reason": "stop", "model_used": "gemma", "engine": "simulated", "usage": None}
    assert whole_of(added("a"), event(last), DONE) == Completion("a", "stop", "gemma", None, "simulated")


def test_only_the_first_of_several_choices_is_the_answer() -> None:
    both = event(
        {
            "choices": [
                {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"},
                {"index": 0, "delta": {"content": "mine"}},
            ]
        }
    )
    other = event({"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]})
    assert whole_of(both, other, STOP, DONE) == Completion("mine", "stop")


def test_done_without_a_reason_is_an_end() -> None:
    assert whole_of(added("a"), DONE) == Completion("a", "unknown")


def test_a_reason_without_done_is_an_end() -> None:
    assert whole_of(added("a"), STOP) == Completion("a", "stop")


def test_nothing_is_read_after_done() -> None:
    assert whole_of(added("a"), DONE + b"data: rubbish\n\n", b"data: more\n\n").text == "a"


def test_an_answer_may_be_empty() -> None:
    assert parts_of(STOP, DONE) == [Completion("", "stop")]


@pytest.mark.parametrize("pieces", [(), (added("a"),), (b"data: [DO",), (b": ping\n\n",), (added("a")[:-1],)])
def test_a_stream_that_is_cut_has_broken_off(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(BrokenOff, match="stops in the middle"):
        parts_of(*pieces)


@pytest.mark.parametrize(
    "broken",
    [
        {"error": "the lease has ended", "code": "c", "details": {}},
        {"error": {"message": "the lease has ended", "code": "c"}},
        {"object": "error", "message": "the lease has ended", "code": "c"},
        {
            "id": "x",
            "error": {"message": "the lease has ended", "code": "c"},
            "choices": [{"delta": {"content": ""}, "finish_reason": "error"}],
        },
    ],
)
def test_an_error_in_the_middle_is_told_in_its_own_words(broken: object) -> None:
    with pytest.raises(ServerFault, match="broke off its answer: the lease has ended") as caught:
        parts_of(added("a"), event(broken), DONE)
    assert caught.value.platform_code == "c"


@pytest.mark.parametrize(
    "broken",
    [
        {"detail": "boom"},
        {"status": "error", "message": "boom"},
        {"success": False, "message": "boom"},
        {"errors": ["boom"]},
        {"choices": [{"index": 0, "delta": {"content": "b"}, "error": "boom"}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "error": {"message": "boom"}}]},
    ],
)
def test_an_error_that_does_not_call_itself_one_ends_an_answer_too(broken: object) -> None:
    with pytest.raises(ServerFault, match="broke off its answer: boom"):
        parts_of(added("a"), event(broken), DONE)


@pytest.mark.parametrize(
    "broken",
    [
        event({"status": "error"}),
        b"event: error\n\n",
        b'event: exception\ndata: {"m": "x"}\n\n',
        b"event: response.failed\ndata: {}\n\n",
        b'{"error": {}, "status": "failed"}\n\n',
        b'{"error": "boom"}\n\n',
        b"error: boom\n\n",
    ],
)
def test_an_error_in_an_odd_form_ends_an_answer_before_its_mark_of_the_end(broken: bytes) -> None:
    with pytest.raises(ServerFault, match="broke off its answer"):
        parts_of(added("a"), broken, DONE)


@pytest.mark.parametrize("reason", ["error", "abort", "Aborted", "timeout"])
def test_an_answer_that_the_server_gave_up_is_no_answer(reason: str) -> None:
    with pytest.raises(ServerFault, match="finish_reason"):
        parts_of(added("a", finish_reason=reason), DONE)


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: nonsense\n\n",
        b"data: 1\n\n",
        b"data: NaN\n\n",
        event([]),
        event({"choices": {}}),
        event({"choices": [1]}),
        event({"choices": [{"index": 0, "delta": {"content": 1}}]}),
        event({"choices": [{"index": 0, "delta": "a"}]}),
        event({"usage": [], "choices": []}),
    ],
)
def test_an_event_that_makes_no_sense_is_garbled(garbage: bytes) -> None:
    with pytest.raises(GarbledAnswer):
        parts_of(added("a"), garbage, DONE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["index", "delta", "content"]), inner),
    max_leaves=8,
)
events = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "finish_reason", "model", "object"]), json_values
).map(event)


@given(st.lists(events | st.binary() | st.just(DONE), max_size=6))
def test_no_stream_fails_in_another_way_than_ours(pieces: list[bytes]) -> None:
    try:
        parts_of(*pieces)
    except PlatformError:
        return
