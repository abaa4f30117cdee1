"""A new run against an old one: what is worse is found, what is chance is not, what is allowed passes."""

from __future__ import annotations

import pytest

from harpoon_cli.bench.judging.compare import Change, Compared, Comparison, change_percent, compare
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.reports.markdown import comparison
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import replace
from tests.bench.simulated import HOSTILE, report, run


def of(comparison: Comparison, figure: str) -> Compared:
    return next(each for each in comparison.figures if each.figure == figure)


@pytest.fixture(scope="module")
def old() -> Report:
    return report(run(seed=1))


def test_a_run_is_no_worse_than_one_of_the_same_server(old: Report) -> None:
    found = compare(old, report(run(seed=2)))
    assert found.regressed == ()
    assert found.passed
    assert of(found, "ttft_p99").change in (Change.SAME, Change.BETTER)


def test_equal_servers_are_rarely_told_apart() -> None:
    runs = [report(run(20, seed=seed)) for seed in range(4)]
    alarms = [compare(one, other).regressed for one, other in zip(runs[::2], runs[1::2], strict=True)]
    assert alarms == [()] * 2


def test_a_slower_server_is_found_and_its_figures_named(old: Report) -> None:
    found = compare(old, report(run(seed=2, slower=1.2)), max_regression=5)
    assert {"ttft_p50", "itl_p50", "itl_p99", "tpot_p50", "e2e_p50"} <= set(found.regressed)
    assert not found.passed
    slower = of(found, "itl_p50")
    assert slower.change_percent == pytest.approx(20, abs=1)
    assert slower.p_value is not None
    assert slower.p_value < 0.05


def test_what_is_worse_by_less_than_allowed_passes(old: Report) -> None:
    found = compare(old, report(run(seed=2, slower=1.2)), max_regression=60)
    assert found.regressed == ()
    assert found.passed
    assert of(found, "itl_p50").change is Change.WORSE


def test_a_faster_server_is_better(old: Report) -> None:
    found = compare(old, report(run(seed=2, slower=0.8)))
    assert of(found, "e2e_p50").change is Change.BETTER
    assert found.passed


def test_failures_that_were_not_there_before_are_a_regression(old: Report) -> None:
    found = compare(old, report(run(seed=2, fails=0.1)), max_regression=50)
    assert {"error_rate", "ttft_p99"} <= set(found.regressed)
    failures = of(found, "ttft_p99")
    assert failures.new is None
    assert failures.change_percent is None


def test_lower_throughput_is_a_regression(old: Report) -> None:
    found = compare(old, report(run(rate=30, seed=2)), max_regression=5)
    assert "requests_per_s" in found.regressed
    assert of(found, "requests_per_s").change_percent == pytest.approx(-25, abs=2)


def test_runs_of_seconds_give_no_verdict() -> None:
    short = report(run(2))
    found = compare(replace(short, steady=None), replace(short, steady=None))
    assert set(found.undecided) == {each.figure for each in found.figures if "cost" not in each.figure}
    assert found.passed


def test_runs_of_unequal_length_are_compared_in_equal_slices(old: Report) -> None:
    found = compare(old, report(run(200, 5, seed=2)), max_regression=500)
    assert of(found, "ttft_p50").change is Change.SAME


def test_costs_are_shown_without_a_test(old: Report) -> None:
    cost = of(compare(old, old), "cost_per_million_tokens")
    assert (cost.change, cost.p_value, cost.change_percent) == (Change.UNTESTED, None, 0)


def test_an_invalid_run_passes_no_comparison(old: Report) -> None:
    doubtful = replace(old, verdict=replace(old.verdict, validity=Validity.INVALID))
    found = compare(old, doubtful, names=("a.json", "b.json"))
    assert not found.passed
    assert "b.json is INVALID: its figures cannot be believed" in found.warnings


def test_runs_of_other_things_are_compared_with_a_warning(old: Report) -> None:
    other = report(run(seed=2), model="other", slo="ttft_p99=1ms")
    warnings = compare(old, other).warnings
    assert "the runs differ in their model: 'qwen' and 'other'" in warnings
    assert any("goodput is not compared" in warning for warning in warnings)
    assert "goodput" not in {each.figure for each in compare(old, other).figures}


def test_a_report_without_its_recording_cannot_be_compared(old: Report) -> None:
    with pytest.raises(UsageFault, match=r"new\.json holds no recording"):
        compare(old, replace(old, recording=None), names=("old.json", "new.json"))


def test_a_pull_request_is_told_what_regressed(old: Report) -> None:
    found = compare(old, report(run(seed=2, slower=1.2), model=HOSTILE), max_regression=5)
    told = "".join(comparison(found))
    assert told.startswith("## harpoon bench compare did not pass\n")
    (median,) = (line.split(" | ") for line in told.splitlines() if line.startswith("| itl\\_p50"))
    assert median[3].startswith(("+19.", "+20."))
    assert "**regressed**" in told
    assert "<script>" not in told


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (100.0, 105.0, 5.0),
        (100.0, 90.0, -10.0),
        (0.0, 1.0, None),
        (None, 1.0, None),
        (1.0, float("inf"), None),
    ],
)
def test_a_change_is_per_cent_of_the_old(old: float | None, new: float | None, change: float | None) -> None:
    assert change_percent(old, new) == change
