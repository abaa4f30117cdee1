"""When a host is left alone, and how often a call may be repeated: a state machine without I/O or clock.

    closed ──5 failures in a row──► open ──a call succeeds──► recovering ──1.1 s──► closed
                                     ▲  one call in 5 s           │  2 calls
                                     └────────a call fails────────┘

A failure is a call without a whole answer from a working server; whatever a working server says, a refusal
too, is a sign of life. Moments are seconds of a clock that all processes share; one that was set back opens
nothing for longer than it would have been open.
"""

from __future__ import annotations

from enum import StrEnum

from harpoon_cli.values import Struct, replace

RECOVERY_S = 1.1
"""After the first success a host is spared for this long: everybody who waits would come at once."""

RECOVERY_CALLS = 2
"""How many calls, the first success among them, are let through in that time."""

RESERVE = 8.0
"""How many repeats may be made at once; a host at rest has earned them all."""

EARNED_BY_CALL = 1 / 11
"""What every call adds to the reserve, repeats too: in the long run there is one of them for ten others."""

EARNED_PER_S = 1 / 60
"""What time adds to it, so that a rare command finds its repeats again."""


ROUNDING = 1e-6
"""Ten tenths are less than one in floating point."""


class Phase(StrEnum):
    """See the drawing above."""

    CLOSED = "closed"
    OPEN = "open"
    RECOVERING = "recovering"


class Rules(Struct, frozen=True):
    """It opens after `failures` in a row, and is then asked once in `probe_s` seconds. 0 failures: never."""

    failures: int = 5
    probe_s: float = 5.0


class Health(Struct, frozen=True):
    """What is known of a host: all there is to keep. As it begins, it is that of a host at rest.

    asked_at is when the last call began that failed, or that was let through while it was open; healed_at is
    when it last recovered, passed how many calls it was given since; `reserve` is what repeats are paid
    from, as it was at reserve_at.
    """

    failures: int = 0
    asked_at: float = 0.0
    healed_at: float = 0.0
    passed: int = 0
    reserve: float = RESERVE
    reserve_at: float = 0.0


class Admission(Struct, frozen=True):
    """Whether a call may go: now (0), or in `wait_s` seconds; where that is long, `shut` says not to wait."""

    health: Health
    wait_s: float = 0.0
    shut: bool = False


def phase(health: Health, rules: Rules, now: float) -> Phase:
    """Where a host stands."""
    if rules.failures and health.failures >= rules.failures:
        return Phase.OPEN
    return Phase.RECOVERING if 0 <= now - health.healed_at < RECOVERY_S else Phase.CLOSED


def open_for_s(health: Health, rules: Rules, now: float) -> float:
    """How long an open host is still left alone; 0 where the next call may go."""
    asked_ago_s = now - health.asked_at
    return max(0.0, rules.probe_s - asked_ago_s) if asked_ago_s >= 0 else 0.0


def admit(health: Health, rules: Rules, now: float, *, urgent: bool = False) -> Admission:
    """Let a call through, or say when. An urgent call is never held back."""
    match phase(health, rules, now):
        case Phase.OPEN:
            wait_s = 0.0 if urgent else open_for_s(health, rules, now)
            if wait_s:
                return Admission(health, wait_s, shut=True)
            return _let(replace(health, asked_at=now), now)
        case Phase.RECOVERING:
            if health.passed >= RECOVERY_CALLS and not urgent:
                return Admission(health, health.healed_at + RECOVERY_S - now)
            return _let(replace(health, passed=health.passed + 1), now)
    return _let(health, now)


def _let(health: Health, now: float) -> Admission:
    """A call that goes earns its part of a repeat."""
    reserve = min(RESERVE, reserve_at(health, now) + EARNED_BY_CALL)
    return Admission(replace(health, reserve=reserve, reserve_at=0.0 if reserve == RESERVE else now))


def reserve_at(health: Health, now: float) -> float:
    """How many repeats could be paid for now."""
    return min(RESERVE, health.reserve + max(0.0, now - health.reserve_at) * EARNED_PER_S)


def succeeded(health: Health, rules: Rules, now: float) -> Health:
    """After a sign of life."""
    if phase(health, rules, now) is Phase.OPEN:
        return replace(health, failures=0, asked_at=0.0, healed_at=now, passed=1)
    return replace(health, failures=0) if health.failures else health


def failed(health: Health, rules: Rules, now: float, *, began_at: float) -> Health:
    """After a failure of a call that was let through at began_at."""
    if began_at < health.healed_at <= now:
        return health  # It was under way before the host recovered, and says nothing about it since.
    asked_at = min(began_at, now)
    match phase(health, rules, now):
        case Phase.OPEN:
            return health
        case Phase.RECOVERING:
            return replace(health, failures=rules.failures, asked_at=asked_at, healed_at=0.0)
    return replace(health, failures=health.failures + 1, asked_at=asked_at, healed_at=0.0)


def may_repeat(health: Health, rules: Rules, now: float, *, urgent: bool = False) -> tuple[Health, bool]:
    """Whether a call that failed may be made again, and what is known after it is paid for.

    Never at a host that is open: who comes back then comes as a new call. Urgent calls need no reserve.
    """
    if phase(health, rules, now) is Phase.OPEN:
        return health, False
    reserve = reserve_at(health, now) - 1.0
    if reserve < -ROUNDING and not urgent:
        return health, False
    return replace(health, reserve=max(0.0, reserve), reserve_at=now), True


def at_rest(health: Health, now: float) -> bool:
    """Is there nothing to keep of a host, since it is as one that was never met?"""
    remembered_s = RECOVERY_S if health.healed_at <= now else 0.0
    return (
        health.failures == 0 and reserve_at(health, now) >= RESERVE and now - health.healed_at >= remembered_s
    )
