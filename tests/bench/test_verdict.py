"""When figures are believed, what makes a run end badly, and what its money is."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Decimal

import pytest

from harpoon_cli.bench.judging.cost import cost_of_run
from harpoon_cli.bench.judging.definitions import BY_NAME, DEFINITIONS
from harpoon_cli.bench.judging.figures import NAMES, Figures, Rates, figures, measured
from harpoon_cli.bench.judging.report import Report, build
from harpoon_cli.bench.judging.slo import parse
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.recording.kept import stored
from harpoon_cli.bench.recording.sample import Sample
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.statistics.histogram import Histogram
from harpoon_cli.domain import Origin, Price
from harpoon_cli.values import replace
from tests.bench.simulated import FACTS, MS, SLO, failed, recorded, report, run, sample, watch


def judged(
    samples: Sequence[Sample] | None = None,
    watches: tuple[Watched, ...] | None = None,
    *,
    open_loop: bool = True,
    slo: str = "",
    max_error_rate: float = 0.0,
    missing: Sequence[str] = (),
) -> Report:
    return build(
        replace(FACTS, open_loop=open_loop),
        recorded(run() if samples is None else samples, slo),
        (watch(),) if watches is None else watches,
        thresholds=parse(slo) if slo else (),
        max_error_rate=max_error_rate,
        missing=missing,
    )


def unsure(milliseconds: float, samples: Sequence[Sample] | None = None) -> list[Sample]:
    """Samples each of whose chunks may have come so much before it says."""
    return [
        replace(one, unsure=array("q", (0, len(one.chunk_ns), round(milliseconds * MS))))
        for one in samples or run()
    ]


def test_a_run_in_good_order_is_valid_and_passes() -> None:
    verdict = report().verdict
    assert verdict.validity is Validity.VALID
    assert verdict.passed
    assert (verdict.reasons, verdict.missed, verdict.undecided) == ((), (), ())


def test_refusals_that_cost_a_core_and_no_time_say_nothing_about_the_tool() -> None:
    busy = (watch(cpu_share=1.0, busiest_share=1.0),)
    verdict = judged([failed(0), failed(1)], busy, open_loop=False).verdict
    assert (verdict.validity, verdict.too_many_errors, verdict.passed) == (Validity.VALID, True, False)
    assert verdict.warnings == ("no request was answered",)


def test_one_failure_in_a_thousand_does_not_pass() -> None:
    verdict = judged([*run(), failed(at_ns=0)]).verdict
    assert verdict.validity is Validity.VALID
    assert verdict.too_many_errors
    assert not verdict.passed


def test_failures_pass_where_they_are_allowed() -> None:
    samples = [*run(fails=0.02)]
    assert judged(samples, max_error_rate=5).verdict.passed
    assert not judged(samples, max_error_rate=1).verdict.passed


def test_a_failure_before_the_steady_part_counts() -> None:
    verdict = report([failed(at_ns=0), *run()]).verdict
    assert verdict.too_many_errors


def test_a_run_without_an_answer_never_passes() -> None:
    verdict = judged([failed()], max_error_rate=100).verdict
    assert not verdict.passed
    assert "no request was answered" in verdict.warnings
    assert not judged([], max_error_rate=100).verdict.passed


def test_late_reading_makes_a_run_invalid_and_says_by_how_much() -> None:
    verdict = judged(unsure(20)).verdict
    assert verdict.validity is Validity.INVALID
    assert not verdict.passed
    assert any("may be off by 20" in reason for reason in verdict.reasons)


def test_a_little_late_reading_widens_the_bounds_only() -> None:
    found = judged(unsure(0.5))
    assert found.verdict.validity is Validity.VALID
    one = found.whole.latencies["ttft"].percentile(99.0)
    assert one is not None
    assert one.ms is not None
    assert one.read_low_ms == pytest.approx(one.ms - 0.5, abs=0.12)
    assert one.read_high_ms == pytest.approx(one.ms, abs=0.12)


def test_a_gap_may_be_off_both_ways() -> None:
    one = judged(unsure(0.5)).whole.latencies["itl"].percentile(50.0)
    assert one is not None
    assert one.ms is not None
    assert one.read_low_ms == pytest.approx(one.ms - 0.5, abs=0.12)
    assert one.read_high_ms == pytest.approx(one.ms + 0.5, abs=0.12)


def test_the_bounds_hold_the_truth_whatever_the_lag_did() -> None:
    true = [sample(at_ns=at * 10 * MS, ttft_ns=(at % 100 + 1) * MS, gaps_ns=()) for at in range(1000)]
    seen = [
        sample(at_ns=at * 10 * MS, ttft_ns=(at % 100 + 1) * MS + (at % 7) * MS, gaps_ns=())
        for at in range(1000)
    ]
    truth, found = (figures(recorded(samples)).latencies["ttft"] for samples in (true, unsure(6, seen)))
    for exact, one in zip(truth.percentiles, found.percentiles, strict=True):
        assert exact.ms is not None
        assert one.read_low_ms is not None
        assert one.read_high_ms is not None
        assert one.read_low_ms <= exact.ms <= one.read_high_ms


def test_kernel_stamps_are_not_blamed_for_late_reading() -> None:
    lag = Histogram()
    lag.add(80 * MS, times=1000)
    kernel = (watch(lag=stored(lag), merged=0, error_bound_ms=0.0),)
    assert judged(watches=kernel).verdict.validity is Validity.VALID


def test_requests_that_the_tool_sends_late_make_a_run_invalid() -> None:
    late = [sample(at_ns=at * 30 * MS + 25 * MS, ready_ns=at * 30 * MS) for at in range(400)]
    verdict = judged(late).verdict
    assert verdict.validity is Validity.INVALID
    assert "25 ms late at p99" in verdict.reasons[0]


@pytest.mark.parametrize(("open_loop", "validity"), [(False, Validity.INVALID), (True, Validity.VALID)])
def test_a_busy_tool_measures_itself_where_answers_drive_it(*, open_loop: bool, validity: Validity) -> None:
    found = judged(watches=(watch(cpu_share=0.99, busiest_share=1.0),), open_loop=open_loop).verdict
    assert found.validity is validity
    assert any("--processes" in warning for warning in found.warnings)


def test_an_engine_that_shared_its_core_with_the_filing_beside_it_was_no_less_busy() -> None:
    found = judged(watches=(watch(cpu_share=0.94, starved_share=0.05),), open_loop=False).verdict
    assert found.validity is Validity.INVALID


@pytest.mark.parametrize(
    ("trouble", "said"), [("clock_was_set", "wall clock"), ("short_of_sockets", "no more connections")]
)
def test_trouble_with_the_machine_makes_a_run_invalid(trouble: str, said: str) -> None:
    verdict = judged(watches=(watch(**{trouble: True}),)).verdict
    assert verdict.validity is Validity.INVALID
    assert said in verdict.reasons[0]


def test_a_run_with_a_part_missing_is_incomplete_whatever_else() -> None:
    verdict = judged(missing=["worker 2 of 4 was lost"]).verdict
    assert verdict.validity is Validity.INCOMPLETE
    assert verdict.reasons == ("worker 2 of 4 was lost",)
    assert not verdict.passed


def test_a_missed_limit_is_named() -> None:
    verdict = judged(slo="ttft_p99=60ms,e2e_p50=1s,requests_per_s=1000").verdict
    assert verdict.missed == ("ttft_p99", "requests_per_s")
    assert not verdict.passed


def test_too_few_samples_are_no_verdict_and_do_not_pass() -> None:
    verdict = judged([*run(1, 50)], slo="ttft_p99=10s,ttft_p50=10s").verdict
    assert (verdict.missed, verdict.undecided) == ((), ("ttft_p99",))
    assert not verdict.passed
    assert "no verdict on ttft p99: too few samples (50)" in verdict.warnings


def test_failures_stand_in_the_percentiles_that_they_reach() -> None:
    found = judged([*run(fails=0.05)], slo="ttft_p99=10s,ttft_p50=10s", max_error_rate=10)
    assert found.verdict.missed == ("ttft_p99",)
    one = found.whole.latencies["ttft"].percentile(99.0)
    assert one is not None
    assert one.ms is not None
    assert one.with_failures_ms is None


def test_every_figure_is_defined_and_every_definition_is_of_a_figure() -> None:
    numbers = {*Rates.__struct_fields__}
    costs = {name for name in BY_NAME if name.startswith("cost_")}
    assert set(NAMES) | numbers | costs == set(BY_NAME)
    assert len(BY_NAME) == len(DEFINITIONS)
    assert {each.name for each in DEFINITIONS if each.distribution} == set(NAMES)


def test_thresholds_find_every_figure_by_its_name() -> None:
    found = measured(report().whole)
    for figure in ("ttft_p99", "ttft_mean", "itl_p99.9", "goodput", "requests_per_s", "error_rate"):
        assert found[figure].value is not None, figure


def test_a_run_s_cost_is_exact_and_says_how_it_is_known() -> None:
    whole = figures(recorded([sample(input_tokens=1, output_tokens=3), failed()], SLO))
    cost = cost_of_run(Price(Decimal("7.20"), "EUR"), 30, whole)
    assert cost.total.amount == Decimal("0.06")
    assert cost.per_request is not None
    assert cost.per_request.amount == Decimal("0.06")
    assert cost.per_good_request == cost.per_request
    assert cost.per_million_output_tokens is not None
    assert cost.per_million_output_tokens.amount == 20_000
    assert cost.per_million_tokens is not None
    assert cost.per_million_tokens.amount == 15_000
    assert cost.total.origin is Origin.QUOTED
    estimated = cost_of_run(Price(Decimal("7.20"), "EUR"), 30, whole, measured=False)
    assert estimated.total.origin is Origin.ESTIMATED


def test_nothing_done_has_no_price_each() -> None:
    cost = cost_of_run(Price(Decimal(1), "USD"), 60, figures(recorded([failed()])))
    assert cost.per_request is cost.per_million_tokens is cost.per_good_request is None


def test_a_limit_on_the_cost_is_kept_or_missed() -> None:
    kept = report(slo="cost_per_million_output_tokens=100")
    missed = report(slo="cost_per_million_output_tokens=0.1")
    assert kept.verdict.missed == ()
    assert missed.verdict.missed == ("cost_per_million_output_tokens",)


def test_the_figures_of_a_window_do_not_have_the_rest() -> None:
    found: Figures | None = report().steady
    assert found is not None
    assert (found.from_s, found.to_s) == (5.0, 29.0)
    assert found.rates.requests_per_s == pytest.approx(40, rel=0.02)
