"""The reason that is told for a failure: the innermost, and none of another failure's."""

from __future__ import annotations

import errno

from harpoon_cli.client.connection import reason
from harpoon_cli.errors import ServerFault


def wrapped(inner: BaseException, outer: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def test_it_is_the_innermost_one() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "whatever")
    assert reason(wrapped(refused, RuntimeError("all attempts failed"))) == "Connection refused"
    group = ExceptionGroup("several", [refused, OSError("other")])
    assert reason(wrapped(group, RuntimeError("all attempts failed"))) == "Connection refused"


def test_a_failure_amid_the_handling_of_another_is_told_for_itself() -> None:
    handled = ServerFault("POST /v1/allocate answered 500")
    cut = EOFError("cut short")
    cut.__context__ = handled
    assert reason(wrapped(cut, RuntimeError("outer"))) == "cut short"


def test_a_chain_that_is_a_circle_has_an_end() -> None:
    first, second = EOFError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    assert reason(first) in ("first", "second")
