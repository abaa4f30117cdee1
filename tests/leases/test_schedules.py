"""Many histories from a seed: more of them than Hypothesis has time for, fewer kinds than it can think of."""

from __future__ import annotations

import os

from tests.leases.schedules import run

COUNT = int(os.environ.get("HARPOON_TEST_SCHEDULES", "1000"))


def test_no_history_breaks_a_rule() -> None:
    for seed in range(COUNT):
        run(seed)
