"""The words of an error, in all the shapes that platforms use, and out of anything at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.client.refusals import MESSAGE_CAP, error_in_success, error_words, retry_after_s
from tests.client.test_wire import values


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": "full", "code": "no_capacity", "details": {}}, "full", "no_capacity"),
        ({"error": {"message": "full", "type": "t", "code": None}}, "full", "t"),
        ({"error": {"message": "full", "type": "t", "code": "c"}}, "full", "c"),
        ({"error": "bad_request", "message": "full"}, "full", None),
        ({"code": 10189007, "message": "full", "errors": None}, "full", "10189007"),
        ({"code": 1, "errors": [{"field": "a", "message": "b"}, "c", 5]}, "a: b; c", "1"),
        ({"result": "FAILURE", "errors": ["a", "b", "c", "d"]}, "a; b; c", None),
        ({"detail": "Not Found"}, "Not Found", None),
        ({"detail": [{"loc": ["body"], "msg": "needed", "type": "missing"}]}, "needed", None),
        ({"title": "Forbidden", "type": "about:blank"}, "Forbidden", "about:blank"),
        ({"error": None, "message": ""}, None, None),
        ({"error": True, "code": True}, None, None),
        ({}, None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_the_words_of_an_error_are_found(body: object, message: str | None, code: str | None) -> None:
    assert error_words(json.dumps(body).encode()) == (message, code)
    assert error_words(body) == (message, code)


@given(st.binary() | values)
def test_words_are_looked_for_in_anything_without_failing(answer: object) -> None:
    for found in error_words(answer):
        assert found is None or len(found) <= MESSAGE_CAP


error_fields = st.dictionaries(
    st.sampled_from(["error", "code", "message", "detail", "errors", "type", "result", "object"]), values
)


@given(error_fields | values)
def test_a_success_is_looked_through_without_failing(value: object) -> None:
    assert error_in_success(value) != ""


@pytest.mark.parametrize(
    "value",
    [
        {"success": False, "pools": [], "message": "boom"},
        {"status": "error", "message": "boom"},
        {"status": "fail", "message": "boom", "code": 200},
        {"pools": [], "errors": ["boom"]},
        {"ok": False, "message": "boom"},
        {"success": "false", "pools": [{"id": "a"}], "message": "boom"},
        {"statusCode": 500, "message": "boom"},
        {"status": 503, "message": "boom"},
        {"code": 500, "msg": "boom", "data": None},
    ],
)
def test_a_success_that_says_it_is_none_is_an_error(value: object) -> None:
    assert error_in_success(value) == "boom"


@pytest.mark.parametrize(
    "value",
    [
        {"success": True, "pools": []},
        {"ok": True, "errors": [], "error": None},
        {"status": 200, "message": "released"},
        {"code": 10000, "message": "Success"},
        {"id": "a", "status": "failed", "message": "boom"},
        {"detail": "released"},
    ],
)
def test_a_success_that_only_looks_like_an_error_is_one(value: object) -> None:
    assert error_in_success(value) is None


@pytest.mark.parametrize("value", [{"status": "error"}, {"ok": False}, {"pools": [], "status": "failed"}])
def test_a_success_that_says_it_is_none_needs_no_words_for_it(value: object) -> None:
    assert error_in_success(value) == "an error without a message"


def test_words_nested_as_deep_as_json_may_be_are_passed_over() -> None:
    deep: object = []
    for _ in range(900):
        deep = [deep]
    assert error_words({"errors": deep, "code": deep, "message": deep}) == (None, None)
    assert error_in_success({"error": deep}) == "an error without a message"


@given(st.text())
def test_retry_after_is_a_number_of_seconds_or_none(header: str) -> None:
    wait_s = retry_after_s(header)
    assert wait_s is None or 0 <= wait_s < 1e12
