"""Limits as people type them, what they mean for one request, and how figures stand against them."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.bench.judging.slo import Measured, Standing, evaluate, parse, request_limits
from harpoon_cli.bench.recording.kept import RequestLimits
from harpoon_cli.errors import UsageFault


def test_limits_are_read_with_their_units() -> None:
    found = parse("ttft_p99=500ms, itl_p99.9=50ms,e2e_mean=2s,goodput=95%,requests_per_s=40,tpot=1m")
    assert [(one.figure, one.limit, one.ppm) for one in found] == [
        ("ttft_p99", 500.0, 990_000),
        ("itl_p99.9", 50.0, 999_000),
        ("e2e_mean", 2_000.0, None),
        ("goodput", 95.0, None),
        ("requests_per_s", 40.0, None),
        ("tpot", 60_000.0, None),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not FIGURE=LIMIT"),
        ("ttft_p99", "is not FIGURE=LIMIT"),
        ("latency_p99=1s", "is not FIGURE=LIMIT"),
        ("peak_chunks_per_s=3", "is not FIGURE=LIMIT"),
        ("ttft_p99=500", "is not a duration"),
        ("ttft_p99=fast", "is not a duration"),
        ("ttft_p99=-1s", "is not a duration"),
        ("ttft_p0=1s", "no percentile 0"),
        ("queueing=1s", "names no percentile"),
        ("goodput_p99=3", "has no percentiles"),
        ("goodput=many", "is not a number"),
        ("requests_per_s=40%", "is not a number"),
        ("ttft_p99=1s,ttft_p99=2s", "given twice"),
        ("ttft_p99=1s,,", "is not FIGURE=LIMIT"),
        ("x" * 3000, "longer than"),
    ],
)
def test_what_is_not_understood_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageFault, match=said) as fault:
        parse(text)
    assert fault.value.hint


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        parse(text)
    except UsageFault:
        return


def test_a_request_keeps_the_limits_of_latencies_but_not_of_means_or_rates() -> None:
    limits = request_limits(
        parse("ttft_p50=100ms,ttft_p99=500ms,itl_p99=50ms,e2e_mean=1s,tpot=20ms,goodput=9%")
    )
    assert limits == RequestLimits(ttft_ns=500_000_000, gap_ns=50_000_000, tpot_ns=20_000_000)


@pytest.mark.parametrize(
    ("text", "measured", "standing", "said"),
    [
        ("ttft_p99=500ms", Measured(499.0), Standing.KEPT, "ttft_p99: 499 ms, within 500 ms"),
        ("ttft_p99=500ms", Measured(501.0), Standing.MISSED, "ttft_p99: 501 ms, 500 ms allowed"),
        ("ttft_p99=500ms", Measured(inf), Standing.MISSED, "failed requests stand there"),
        ("ttft_p99=500ms", Measured(None), Standing.UNDECIDED, "nothing was measured"),
        (
            "ttft_p99=500ms",
            Measured(499.0, enough=False, needed=368),
            Standing.UNDECIDED,
            "not known: 499 ms, but of too few samples, at least 368 independent ones are needed",
        ),
        ("ttft_p99=500ms", Measured(501.0, enough=False), Standing.MISSED, "501 ms, 500 ms allowed"),
        ("goodput=95%", Measured(94.0), Standing.MISSED, "goodput: 94 %, 95 % wanted"),
        ("goodput=95%", Measured(96.0), Standing.KEPT, "goodput: 96 %, within 95 %"),
        ("goodput=95%", Measured(96.0, requests=71), Standing.UNDECIDED, "at least 72 independent"),
        ("goodput=95%", Measured(96.0, requests=72), Standing.KEPT, "goodput: 96 %, within 95 %"),
        ("error_rate=1%", Measured(0.0, requests=367), Standing.UNDECIDED, "at least 368 independent"),
        ("error_rate=0%", Measured(0.0, requests=3), Standing.KEPT, "error_rate: 0 %, within 0 %"),
        ("goodput=100%", Measured(100.0, requests=3), Standing.KEPT, "within 100 %"),
    ],
)
def test_a_figure_stands_against_its_limit(
    text: str, measured: Measured, standing: Standing, said: str
) -> None:
    thresholds = parse(text)
    (check,) = evaluate(thresholds, {thresholds[0].figure: measured})
    assert check.standing is standing
    assert said in check.sentence
    assert check.measured != inf


def test_a_limit_of_single_requests_is_no_threshold_of_the_run() -> None:
    assert evaluate(parse("ttft=500ms"), {}) == ()
