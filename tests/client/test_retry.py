"""When a call is made again: by what it may have done, after full jitter or as asked, never too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.client.retry import RetryPolicy, harmless, repeat, repeat_stream, unsent
from harpoon_cli.errors import (
    BrokenOff,
    GarbledAnswer,
    HarpoonError,
    NoCapacity,
    NotAuthorised,
    NotSent,
    PlatformError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    UnreadableAnswer,
)


class Time:
    """A clock that only sleeping moves, and what was slept."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []
        self.ranges: list[tuple[float, float]] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    def jitter(self, low: float, high: float) -> float:
        self.ranges.append((low, high))
        return high


class Call:
    """Fails with these errors in turn, each after `takes_s`, and then succeeds."""

    def __init__(self, time: Time, *errors: Exception, takes_s: float = 0.0) -> None:
        self.time, self.errors, self.takes_s = time, list(errors), takes_s
        self.given_s: list[float] = []

    async def __call__(self, left_s: float) -> str:
        self.given_s.append(left_s)
        self.time.now_s += self.takes_s
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def repeated(
    call: Call,
    *,
    policy: RetryPolicy | None = None,
    deadline_s: float = 100.0,
    may_repeat: Callable[[PlatformError], bool] = harmless,
) -> str:
    time = call.time
    return asyncio.run(
        repeat(
            call,
            policy=policy or RetryPolicy(attempts=3, base_s=1.0, cap_s=10.0),
            deadline_s=deadline_s,
            may_repeat=may_repeat,
            sleep=time.sleep,
            clock=time,
            jitter=time.jitter,
        )
    )


def test_a_call_that_succeeds_is_made_once() -> None:
    call = Call(Time())
    assert repeated(call) == "done"
    assert call.given_s == [100.0]
    assert call.time.slept_s == []


def test_a_call_is_repeated_until_it_succeeds_with_the_time_that_is_left() -> None:
    call = Call(Time(), ServerFault("a"), TimedOut("b"), takes_s=5.0)
    assert repeated(call) == "done"
    assert call.time.slept_s == [1.0, 2.0]
    assert call.given_s == [100.0, 94.0, 87.0]


def test_after_the_last_attempt_the_last_error_is_raised_and_tells_how_many_there_were() -> None:
    last = ServerFault("c", hint="h", status=503)
    call = Call(Time(), ServerFault("a"), ServerFault("b"), last)
    with pytest.raises(ServerFault) as caught:
        repeated(call)
    assert caught.value is last
    assert caught.value.message.startswith("c; 3 attempts took ")
    assert caught.value.hint == "h"
    assert len(call.given_s) == 3


@pytest.mark.parametrize("attempts", [0, 1])
def test_one_attempt_is_always_made(attempts: int) -> None:
    call = Call(Time(), NotSent("a"))
    with pytest.raises(NotSent):
        repeated(call, policy=RetryPolicy(attempts=attempts))
    assert len(call.given_s) == 1


def test_waits_are_drawn_from_the_full_range_which_grows_up_to_the_cap() -> None:
    call = Call(Time(), *(NotSent("x") for _ in range(6)))
    policy = RetryPolicy(attempts=7, base_s=0.5, cap_s=5.0)
    assert repeated(call, policy=policy, deadline_s=1000.0) == "done"
    assert call.time.ranges == [(0.0, 0.5), (0.0, 1.0), (0.0, 2.0), (0.0, 4.0), (0.0, 5.0), (0.0, 5.0)]


def test_the_range_stays_a_number_after_any_number_of_attempts() -> None:
    assert RetryPolicy(base_s=0.2, cap_s=5.0).longest_wait_s(100_000) == 5.0


def test_no_wait_is_longer_than_half_of_what_is_left() -> None:
    call = Call(Time(), *(NotSent("x") for _ in range(3)))
    policy = RetryPolicy(attempts=4, base_s=100.0, cap_s=100.0)
    assert repeated(call, policy=policy, deadline_s=8.0) == "done"
    assert call.time.slept_s == [4.0, 2.0, 1.0]


def test_what_the_server_asked_for_is_waited_exactly() -> None:
    call = Call(Time(), RateLimited("a", retry_after_s=42.0), ServerFault("b", retry_after_s=0.0))
    assert repeated(call) == "done"
    assert call.time.slept_s == [42.0, 0.0]


@pytest.mark.parametrize("asked_s", [100.0, 100.1, 1e9])
def test_to_be_asked_to_come_after_the_deadline_fails_at_once(asked_s: float) -> None:
    error = RateLimited("it asks to be left alone", retry_after_s=asked_s)
    call = Call(Time(), error)
    with pytest.raises(RateLimited) as caught:
        repeated(call)
    assert caught.value is error
    assert call.time.slept_s == []


def test_a_deadline_that_has_passed_ends_it() -> None:
    call = Call(Time(), TimedOut("a"), TimedOut("b"), takes_s=100.0)
    with pytest.raises(TimedOut):
        repeated(call)
    assert len(call.given_s) == 1


@pytest.mark.parametrize(
    ("error", "if_harmless", "if_unsent"),
    [
        (NotSent("x"), True, True),
        (RateLimited("x"), True, True),
        (TimedOut("x"), True, False),
        (ServerFault("x"), True, False),
        (BrokenOff("x"), True, False),
        (GarbledAnswer("x"), False, False),
        (UnreadableAnswer("x"), True, False),
        (Refused("x"), False, False),
        (NotAuthorised("x"), False, False),
        (NoCapacity("x"), False, False),
    ],
)
def test_a_repeat_is_decided_by_what_the_call_may_have_done(
    error: PlatformError, if_harmless: bool, if_unsent: bool
) -> None:
    assert (harmless(error), unsent(error)) == (if_harmless, if_unsent)


@pytest.mark.parametrize("error", [HarpoonError("x"), ZeroDivisionError(), asyncio.CancelledError()])
def test_what_is_no_error_of_the_platform_is_not_repeated(error: Exception) -> None:
    call = Call(Time(), error)
    with pytest.raises(type(error)):
        repeated(call)
    assert len(call.given_s) == 1


class Purse:
    """Pays for so many repeats, and counts who asked."""

    def __init__(self, repeats: int) -> None:
        self.repeats, self.asked = repeats, 0

    def may_repeat(self) -> bool:
        self.asked += 1
        self.repeats -= 1
        return self.repeats >= 0


def test_a_repeat_that_nobody_pays_for_is_not_made_and_not_waited_for() -> None:
    call, purse = Call(Time(), ServerFault("a"), ServerFault("b"), ServerFault("c")), Purse(1)
    with pytest.raises(ServerFault, match="b"):
        repeated(call, policy=RetryPolicy(attempts=5, base_s=1.0, allowance=purse))
    assert call.time.slept_s == [1.0]
    assert purse.asked == 2


@pytest.mark.parametrize(
    "errors",
    [
        [],
        [Refused("no")],
        [ServerFault("a", retry_after_s=1000.0)],
    ],
)
def test_only_a_repeat_that_would_be_made_is_paid_for(errors: list[Exception]) -> None:
    purse = Purse(5)
    with suppress(PlatformError):
        repeated(Call(Time(), *errors), policy=RetryPolicy(allowance=purse))
    assert purse.asked == 0


def test_no_error_tells_of_less_than_no_time() -> None:
    with pytest.raises(TimedOut, match="allows 0 s"):
        repeated(Call(Time(), TimedOut("a")), deadline_s=-0.0153)


def test_the_last_attempt_is_not_paid_for_twice() -> None:
    purse = Purse(5)
    with pytest.raises(ServerFault):
        repeated(Call(Time(), *(ServerFault("x") for _ in range(3))), policy=RetryPolicy(allowance=purse))
    assert purse.asked == 2


def test_a_call_that_may_hang_leaves_time_for_the_next_one_but_the_last_has_all_of_it() -> None:
    call = Call(Time(), TimedOut("a"), TimedOut("b"))
    repeated(call, policy=RetryPolicy(attempts=3, base_s=0.0, share=0.5), deadline_s=100.0)
    assert call.given_s == [50.0, 50.0, 100.0]


def test_a_call_that_would_not_be_repeated_after_hanging_has_all_of_the_time() -> None:
    call = Call(Time(), NotSent("a"))
    repeated(call, policy=RetryPolicy(base_s=0.0, share=0.5), may_repeat=unsent)
    assert call.given_s == [100.0, 100.0]


def pieces(*rounds: list[str | Exception]) -> Callable[[float], AsyncGenerator[str, None]]:
    """A stream that gives these items, or raises them, one list each time it is begun."""
    left = list(rounds)

    async def stream(_: float) -> AsyncGenerator[str, None]:
        for item in left.pop(0):
            if isinstance(item, Exception):
                raise item
            yield item

    return stream


def listened(
    stream: Callable[[float], AsyncGenerator[str, None]], policy: RetryPolicy | None = None
) -> list[str]:
    found: list[str] = []

    async def listen() -> None:
        policy_ = policy or RetryPolicy(base_s=0.0)
        found.extend([item async for item in repeat_stream(stream, policy=policy_, deadline_s=10.0)])

    asyncio.run(listen())
    return found


def test_a_stream_is_begun_anew_where_it_breaks_off() -> None:
    stream = pieces(["a", BrokenOff("x")], [ServerFault("y")], ["a", "b"])
    assert listened(stream) == ["a", "a", "b"]


def test_a_stream_ends_with_its_last_error_as_it_came() -> None:
    last = BrokenOff("z")
    with pytest.raises(BrokenOff) as caught:
        listened(pieces([BrokenOff("x")], [BrokenOff("y")], [last]))
    assert caught.value is last
    with pytest.raises(Refused):
        listened(pieces(["a", Refused("no")]))
    with pytest.raises(ZeroDivisionError):
        listened(pieces([ZeroDivisionError()]))


def test_a_stream_that_nobody_reads_on_is_ended() -> None:
    ended: list[str] = []

    async def stream(_: float) -> AsyncGenerator[str, None]:
        try:
            yield "a"
            yield "b"
        finally:
            ended.append("yes")

    async def read_one() -> str:
        async with aclosing(repeat_stream(stream, policy=RetryPolicy(), deadline_s=10.0)) as items:
            return await anext(items)

    assert asyncio.run(read_one()) == "a"
    assert ended == ["yes"]


waits = st.none() | st.floats(0, 1000)


@given(
    st.lists(st.tuples(waits, st.floats(0, 20)), max_size=8),
    st.integers(1, 8),
    st.floats(0.01, 100),
    st.floats(0, 1),
)
def test_it_never_waits_beyond_the_deadline(
    failures: list[tuple[float | None, float]], attempts: int, deadline_s: float, luck: float
) -> None:
    time = Time()
    starts: list[float] = []

    async def call(left_s: float) -> None:
        starts.append(time.now_s)
        assert left_s > 0
        if len(starts) <= len(failures):
            asked_s, takes_s = failures[len(starts) - 1]
            time.now_s += min(takes_s, left_s)
            raise ServerFault("x", retry_after_s=asked_s)

    async def ask() -> None:
        await repeat(
            call,
            policy=RetryPolicy(attempts=attempts),
            deadline_s=deadline_s,
            sleep=time.sleep,
            clock=time,
            jitter=lambda low, high: low + luck * (high - low),
        )

    with suppress(ServerFault):
        asyncio.run(ask())
    assert len(starts) <= attempts
    assert all(start - 1000.0 < deadline_s for start in starts)
