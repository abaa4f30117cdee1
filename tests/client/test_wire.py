"""Reading what servers send: JSON, fields, events; hostile input is refused in words, and in time."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.client.wire import EVENT_CAP_BYTES, EventScanner, Fields, parse_json
from harpoon_cli.errors import GarbledAnswer

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def fields(**values: object) -> Fields:
    return Fields(values, "the thing")


@given(values)
def test_every_json_value_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary())
def test_any_other_bytes_are_garbled_and_nothing_else(body: bytes) -> None:
    with suppress(GarbledAnswer):
        parse_json(body)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[" * 10**6, '{"a":' * 10**6]
)
def test_json_that_python_would_take_and_others_would_not_is_refused(text: str) -> None:
    with pytest.raises(GarbledAnswer):
        parse_json(text.encode())


@pytest.mark.parametrize("value", [None, [], [{}], "x", 1, True])
def test_an_object_is_one_or_is_refused(value: object) -> None:
    with pytest.raises(GarbledAnswer, match="the thing should be a JSON object and is"):
        Fields(value, "the thing")


def test_a_field_is_found_by_its_name_the_configured_one_or_another_that_platforms_use() -> None:
    assert fields(id=3).identifier("allocation_id", "id") == "3"
    assert fields(allocation_id="a", id="b").identifier("allocation_id", "id") == "a"
    assert fields(allocation_id=None, id="b").identifier("allocation_id", "id") == "b"
    renamed = Fields({"ref": "a", "allocation_id": "b"}, "the thing", {"allocation_id": "ref"})
    assert renamed.identifier("allocation_id") == "a"


def test_configured_names_hold_for_nested_objects_too() -> None:
    nested = Fields({"card": {"kind": "L40S"}}, "the thing", {"gpu": "card", "model": "kind"})
    child = nested.child("gpu")
    assert child is not None
    assert child.text("model") == "L40S"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-7, "-7"), (10**30, "1" + "0" * 30), ("a b", "a b")])
def test_an_id_may_be_a_number_or_a_string(value: object, text: str) -> None:
    assert fields(id=value).identifier("id") == text


@pytest.mark.parametrize(
    "value", [True, 1.5, [], {}, "a\nb", "\x1b[2J", "\ud800", "\u202e", "x" * 513, 10**600]
)
def test_what_cannot_be_an_id_is_refused(value: object) -> None:
    with pytest.raises(GarbledAnswer, match="id of the thing"):
        fields(id=value).identifier("id")


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_id_is_absent(value: object) -> None:
    assert fields(id=value).optional_identifier("id") is None
    with pytest.raises(GarbledAnswer, match="the thing has no id"):
        fields(id=value).identifier("id")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, Decimal(0)),
        (0.39, Decimal("0.39")),
        ("0.39", Decimal("0.39")),
        ("2.10", Decimal("2.10")),
        (1e3, Decimal(1000)),
        (None, None),
    ],
)
def test_money_may_be_a_number_or_a_string(value: object, number: Decimal | None) -> None:
    assert fields(price=value).decimal("price") == number


@pytest.mark.parametrize(
    "value",
    [
        *(True, -1, -0.01, "-1", "NaN", "sNaN", "Infinity", "", "free", "0x10", "1,5", [], {}, [[[]]]),
        *("1e999999999", "1e-999999999", "0e99999", "9" * 50),
    ],
)
def test_what_is_no_quantity_is_refused_at_once(value: object) -> None:
    for read in (fields(price=value).decimal, fields(price=value).number, fields(price=value).whole):
        with pytest.raises(GarbledAnswer, match="price of the thing"):
            read("price")


def test_half_a_slice_is_none() -> None:
    assert fields(free="1.9").whole("free") == 1


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T06:00:00Z",
        "2026-11-22T06:00:00",
        "2026-11-22T07:00:00+01:00",
        "2026-11-22 06:00:00.000000+00:00",
        1795327200,
        1795327200.0,
    ],
)
def test_a_time_may_be_written_in_several_ways_and_is_aware(value: object) -> None:
    assert fields(at=value).when("at") == datetime(2026, 11, 22, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["soon", "", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", 1e300, -(10**30), True, [], {}],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(GarbledAnswer, match="at of the thing is not a time"):
        fields(at=value).when("at")


@given(values)
def test_no_value_of_a_field_makes_a_reader_fail_in_another_way(value: object) -> None:
    row = fields(a=value)
    readers = (row.identifier, row.text, row.required_text, row.decimal, row.number, row.whole, row.when)
    for read in (*readers, row.child, row.strings, lambda name: list(row.children(name))):
        with suppress(GarbledAnswer):
            read("a")


def test_a_flat_object_is_read_as_text_and_the_rest_of_it_left_out() -> None:
    found = fields(metadata={"reference": "r", "n": 1, "deep": {"a": 1}, "none": None}).strings("metadata")
    assert found == {"reference": "r", "n": "1"}


def events_of(*pieces: bytes) -> list[bytes]:
    scanner = EventScanner()
    return [event for piece in pieces for event in scanner.feed(piece)]


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
lines = st.sampled_from(
    [b"", b"data: a", b"data:b", b"data:", b"data", b": c", b"event: d", b"id:", b"data:  e"]
)
streams = st.lists(st.tuples(lines, line_ends)).map(lambda parts: b"".join(map(b"".join, parts)))


@given(streams | st.binary(), st.data())
def test_events_do_not_depend_on_how_the_bytes_are_cut(raw: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    ends = [0, *cuts, len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(ends)]
    assert events_of(*pieces) == events_of(raw)
    assert events_of(*(raw[at : at + 1] for at in range(len(raw)))) == events_of(raw)


@given(st.lists(st.lists(st.sampled_from([b"a", b"", b" b", b"c:d"]), min_size=1)), line_ends)
def test_what_was_sent_as_events_arrives_as_events(sent: list[list[bytes]], end: bytes) -> None:
    raw = b"".join(b"".join(b"data: " + line + end for line in event) + end for event in sent)
    assert events_of(raw) == [b"\n".join(event) for event in sent]


def test_comments_names_and_a_byte_order_mark_are_passed_over() -> None:
    raw = b"\xef\xbb\xbfdata: a\n: ping\nevent: x\nid: 1\nretry: 5\n\n: ping\n\ndata: b\r\n\r\n"
    assert events_of(raw) == [b"a", b"b"]


def test_an_event_that_is_not_ended_is_none() -> None:
    assert events_of(b"data: a\n\ndata: b\n") == [b"a"]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 2**20, b"data:\n" * 2**20, b"x" * 2**21])
@pytest.mark.parametrize("size", [1, 1000, 2**30])
def test_an_event_without_end_is_refused_however_it_is_cut(line: bytes, size: int) -> None:
    assert len(line) >= EVENT_CAP_BYTES
    raw = b"data: first\n\n" + line
    with pytest.raises(GarbledAnswer):
        events_of(*(raw[at : at + size] for at in range(0, len(raw), size)))


def test_many_events_are_no_long_event() -> None:
    assert len(events_of(b"data: x\n\n" * 300_000)) == 300_000
