"""The breaker as a machine: when it opens, who is let through, how it recovers, what repeats it pays for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.client import breaker
from harpoon_cli.client.breaker import RECOVERY_S, RESERVE, Admission, Health, Phase, Rules

RULES = Rules()
NOW = 1_800_000_000.0


def after_failures(count: int, now: float = NOW) -> Health:
    health = Health()
    for _ in range(count):
        health = breaker.failed(breaker.admit(health, RULES, now).health, RULES, now, began_at=now)
    return health


def recovered(now: float = NOW) -> Health:
    return breaker.succeeded(after_failures(5, now), RULES, now)


def phase(health: Health, now: float = NOW) -> Phase:
    return breaker.phase(health, RULES, now)


def test_it_opens_at_the_fifth_failure_in_a_row() -> None:
    assert [phase(after_failures(count)) for count in (0, 4, 5)] == [Phase.CLOSED, Phase.CLOSED, Phase.OPEN]


def test_a_sign_of_life_between_failures_keeps_it_closed() -> None:
    health = breaker.succeeded(after_failures(4), RULES, NOW)
    for _ in range(4):
        health = breaker.failed(health, RULES, NOW, began_at=NOW)
    assert phase(health) is Phase.CLOSED


def test_with_no_number_of_failures_it_never_opens() -> None:
    health = after_failures(1000)
    assert breaker.phase(health, Rules(failures=0), NOW) is Phase.CLOSED
    assert breaker.admit(health, Rules(failures=0), NOW).wait_s == 0.0


def test_open_it_says_when_and_lets_one_call_through_each_five_seconds() -> None:
    health = after_failures(5)
    assert breaker.admit(health, RULES, NOW + 1.0) == Admission(health, 4.0, shut=True)
    probe = breaker.admit(health, RULES, NOW + 5.0)
    assert probe.wait_s == 0.0
    assert breaker.admit(probe.health, RULES, NOW + 5.1).wait_s == pytest.approx(4.9)


def test_a_probe_that_hangs_keeps_nobody_out_for_longer() -> None:
    probe = breaker.admit(after_failures(5), RULES, NOW + 5.0).health
    assert breaker.admit(probe, RULES, NOW + 10.0).wait_s == 0.0


def test_a_probe_that_fails_late_moves_nothing() -> None:
    probe = breaker.admit(after_failures(5), RULES, NOW + 5.0).health
    assert breaker.failed(probe, RULES, NOW + 9.0, began_at=NOW + 5.0) == probe


def test_a_success_lets_two_calls_through_and_then_spares_the_host_for_a_moment() -> None:
    health = recovered()
    assert phase(health) is Phase.RECOVERING
    second = breaker.admit(health, RULES, NOW)
    assert second.wait_s == 0.0
    third = breaker.admit(second.health, RULES, NOW + 0.1)
    assert third.wait_s == pytest.approx(RECOVERY_S - 0.1)
    assert not third.shut
    assert phase(second.health, NOW + RECOVERY_S + 0.001) is Phase.CLOSED


def test_a_failure_while_it_recovers_opens_it_again() -> None:
    health = breaker.failed(recovered(), RULES, NOW + 0.5, began_at=NOW + 0.4)
    assert phase(health, NOW + 0.5) is Phase.OPEN
    assert breaker.open_for_s(health, RULES, NOW + 0.5) == pytest.approx(4.9)


def test_a_failure_of_a_call_from_before_the_recovery_says_nothing() -> None:
    health = recovered()
    assert breaker.failed(health, RULES, NOW + 0.5, began_at=NOW - 20.0) == health


def test_urgent_calls_are_never_held_back_and_count_as_probes() -> None:
    urgent = breaker.admit(after_failures(5), RULES, NOW + 4.0, urgent=True)
    assert urgent.wait_s == 0.0
    assert breaker.open_for_s(urgent.health, RULES, NOW + 5.0) == 4.0
    crowded = breaker.admit(recovered(), RULES, NOW).health
    assert breaker.admit(crowded, RULES, NOW, urgent=True).wait_s == 0.0


@pytest.mark.parametrize("set_back_s", [10.0, 1e9])
def test_a_clock_that_is_set_back_holds_nobody_back(set_back_s: float) -> None:
    earlier = NOW - set_back_s
    assert breaker.admit(after_failures(5), RULES, earlier).wait_s == 0.0
    assert breaker.admit(recovered(), RULES, earlier).wait_s == 0.0
    assert phase(breaker.failed(recovered(), RULES, earlier, began_at=earlier), earlier) is Phase.CLOSED


def spent(health: Health, now: float = NOW, *, urgent: bool = False) -> tuple[Health, int]:
    """How many repeats it pays for in one moment, up to a hundred."""
    for count in range(100):
        health, granted = breaker.may_repeat(health, RULES, now, urgent=urgent)
        if not granted:
            return health, count
    return health, 100


def test_a_host_at_rest_has_eight_repeats_and_earns_one_with_eleven_calls() -> None:
    health, at_once = spent(Health())
    assert at_once == RESERVE
    for _ in range(55):
        health = breaker.admit(health, RULES, NOW).health
    assert spent(health)[1] == 5


def test_time_fills_the_reserve_again() -> None:
    health, _ = spent(Health())
    assert spent(health, NOW + 59.0)[1] == 0
    assert spent(health, NOW + 121.0)[1] == 2
    assert spent(health, NOW + 1e6)[1] == RESERVE


def test_an_open_host_is_not_asked_again_by_the_same_call_not_even_urgently() -> None:
    assert spent(after_failures(5), urgent=True)[1] == 0


def test_urgent_repeats_need_no_reserve() -> None:
    health, _ = spent(Health())
    assert spent(health, urgent=True)[1] == 100


def test_a_host_is_forgotten_when_nothing_sets_it_apart() -> None:
    assert breaker.at_rest(Health(), NOW)
    assert not breaker.at_rest(after_failures(1), NOW)
    assert not breaker.at_rest(recovered(), NOW)
    assert breaker.at_rest(recovered(), NOW + 2 * RECOVERY_S)
    tired, _ = spent(Health())
    assert not breaker.at_rest(tired, NOW)
    assert breaker.at_rest(tired, NOW + 3600.0)


@dataclass
class Outage:
    """Many clients of one host that is down until `heals_at`; every call takes `call_s`."""

    heals_at: float
    call_s: float
    health: Health = field(default_factory=Health)
    sent_at: list[float] = field(default_factory=list)
    succeeded_at: list[float] = field(default_factory=list)
    under_way: list[float] = field(default_factory=list)

    def tick(self, now: float) -> None:
        """End the calls that are due, then let one client try."""
        due = [began for began in self.under_way if began + self.call_s <= now]
        for began in due:
            self.under_way.remove(began)
            if began >= self.heals_at:
                self.succeeded_at.append(began)
                self.health = breaker.succeeded(self.health, RULES, now)
            else:
                self.health = breaker.failed(self.health, RULES, now, began_at=began)
        admission = breaker.admit(self.health, RULES, now)
        if not admission.wait_s:
            self.health = admission.health
            self.sent_at.append(now)
            self.under_way.append(now)


@settings(deadline=None, max_examples=60)
@given(
    heals_after_s=st.floats(1.0, 40.0),
    call_s=st.floats(0.001, 12.0),
    pauses_s=st.lists(st.floats(0.01, 0.2), min_size=20, max_size=20),
)
def test_a_host_that_is_down_is_spared_and_found_again_whoever_asks_and_however_slowly_it_fails(
    heals_after_s: float, call_s: float, pauses_s: list[float]
) -> None:
    outage = Outage(NOW + heals_after_s, call_s)
    now, opened_at = NOW, None
    for step in range(100_000):
        now += pauses_s[step % len(pauses_s)]
        outage.tick(now)
        if opened_at is None and phase(outage.health, now) is Phase.OPEN:
            opened_at = now
        if now > outage.heals_at + 2 * call_s + 8.0:
            break
    healed_at = outage.heals_at
    slack_s = max(pauses_s)
    assert outage.succeeded_at
    if opened_at is None:
        return
    while_open = [one for one in outage.sent_at if opened_at < one < healed_at]
    assert all(later - earlier >= 4.999 for earlier, later in pairwise(while_open))
    first = outage.succeeded_at[0]
    assert first <= healed_at + 5.0 + slack_s
    if opened_at < healed_at:
        for start in (healed_at, first + call_s):
            assert len([one for one in outage.sent_at if start <= one < start + 1.0]) <= 2
