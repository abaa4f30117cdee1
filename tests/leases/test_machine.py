"""Any history at all: Hypothesis makes them, and shrinks one that breaks a rule to its core.

Each runs in virtual time. The rules hold after every step, not only at the end.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harpoon_cli.client.service import Features
from tests.leases.history import COMMANDS, History, Plan
from tests.leases.virtual import virtual_time
from tests.leases.world import HONEST, Fault

FEATURES = st.builds(
    Features,
    leases=st.just(True),
    idempotency_keys=st.booleans(),
    ttl=st.just(True),
    lists=st.sampled_from([True, True, True, False]),
    metadata=st.sampled_from([True, True, True, False]),
)
"""Most platforms can be searched: those that cannot are the easy case, which is to say that they cannot."""

FAULTS = st.lists(st.sampled_from([Fault.NONE, Fault.NONE, *HONEST]), max_size=8)
SOMETIME = st.none() | st.integers(1, 40)

PLANS = st.builds(
    Plan,
    does=st.sampled_from(["infer", *COMMANDS]),
    begins_after_s=st.sampled_from([0.0, 0.03, 1.0, 5.0]),
    faults=FAULTS.map(tuple),
    kill_at=SOMETIME,
    cancel_at=SOMETIME,
    full_from=st.none() | st.none() | st.integers(1, 12),
)


class Histories(RuleBasedStateMachine):
    """Makes one history, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = virtual_time()
        self.time = self._virtual.__enter__()
        self.history: History | None = None

    @initialize(features=FEATURES, shown_after_s=st.sampled_from([0.0, 0.0, 2.0, 40.0, 130.0]))
    def platform_is(self, features: Features, shown_after_s: float) -> None:
        self.history = History(self.time, features, shown_after_s)

    @rule(plans=st.lists(PLANS, min_size=1, max_size=3))
    def together(self, plans: list[Plan]) -> None:
        assert self.history is not None
        self.history.together(plans)

    @rule(seconds=st.sampled_from([1.0, 30.0, 200.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.time.forward(seconds)

    @invariant()
    def the_rules_hold(self) -> None:
        if self.history is not None:
            self.history.check()

    def teardown(self) -> None:
        if self.history is not None:
            self.history.recover()
        self._virtual.__exit__(None, None, None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=200,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
