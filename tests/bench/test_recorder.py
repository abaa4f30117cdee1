"""What is kept of samples: nothing is lost, nothing is counted twice, and parts add up to the whole."""

from __future__ import annotations

import json
from array import array
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench.judging.figures import figures, timeline
from harpoon_cli.bench.judging.measures import by_second, gaps_ns
from harpoon_cli.bench.judging.steady import steady_part
from harpoon_cli.bench.planning.warmup import DETECTED, WarmUp
from harpoon_cli.bench.recording.from_text import from_text
from harpoon_cli.bench.recording.kept import Recording, RequestLimits, StoredHistogram, StoredSlice
from harpoon_cli.bench.recording.recorder import Recorder, from_recording, merge
from harpoon_cli.bench.recording.sample import Sample
from harpoon_cli.bench.recording.timeline import MOST_SLICES, Window
from harpoon_cli.bench.statistics.histogram import LARGEST_BUCKET
from harpoon_cli.errors import UsageFault
from harpoon_cli.plain import plain
from harpoon_cli.values import replace
from tests.bench.simulated import MS, S, failed, recorded, run, sample

starts = st.integers(0, 300 * S)
answered = st.builds(
    lambda at, ttft, gaps: sample(at_ns=at, ttft_ns=ttft, gaps_ns=gaps),
    starts,
    st.integers(1, 20 * S),
    st.lists(st.integers(0, 3 * S), max_size=8),
)
broken = st.builds(
    lambda at, kind: failed(at_ns=at, error=kind), starts, st.sampled_from(["reset", "http_503"])
)
samples = st.lists(answered | broken, max_size=12)


def asked(recorder: Recorder) -> int:
    return recorder.total("completed") + recorder.total("failed")


@given(samples, st.integers(1, 4))
@settings(max_examples=60)
def test_shards_put_together_are_the_whole_run(run: list[Sample], shards: int) -> None:
    parts = [recorded(run[number::shards]) for number in range(shards)]
    assert merge(parts).recording() == recorded(run).recording()


@given(samples, samples, samples)
@settings(max_examples=40)
def test_parts_may_be_put_together_in_any_order(
    one: list[Sample], two: list[Sample], three: list[Sample]
) -> None:
    left = merge([merge([recorded(one), recorded(two)]), recorded(three)])
    right = merge([recorded(three), merge([recorded(two), recorded(one)])])
    assert left.recording() == right.recording()


@given(samples)
@settings(max_examples=60)
def test_a_recording_comes_back_from_its_file_as_it_was(run: list[Sample]) -> None:
    recording = recorded(run).recording()
    text = json.dumps(plain(recording))
    assert from_recording(from_text(Recording, text, "it", "a test")).recording() == recording


@given(samples)
@settings(max_examples=60)
def test_every_request_chunk_and_token_is_counted_once(run: list[Sample]) -> None:
    recorder = recorded(run)
    good = [one for one in run if one.error is None]
    assert asked(recorder) == recorder.total("started") == len(run)
    assert recorder.total("chunks") == sum(len(one.chunk_ns) for one in good)
    assert recorder.total("output_tokens") == sum(one.output_tokens or 0 for one in good)
    assert recorder.histogram("itl").finite == sum(len(one.chunk_ns) - 1 for one in good)
    assert recorder.histogram("itl").total_ns == sum(one.chunk_ns[-1] - one.chunk_ns[0] for one in good)
    assert recorder.histogram("ttft").finite == len(good)
    assert recorder.histogram("ttft").infinite == len(run) - len(good)


def test_long_shards_put_together_have_the_slices_of_the_whole() -> None:
    whole = list(run(300, 2, fails=0.05))
    parts = [recorded(whole[number::3]) for number in range(3)]
    together = merge([*parts[1:], parts[0]]).recording()
    assert together == recorded(whole).recording()
    assert together.slice_s == 8


def test_a_request_that_has_everything_gives_every_figure() -> None:
    one = sample(
        at_ns=2 * S,
        ttft_ns=80 * MS,
        gaps_ns=[10 * MS, 30 * MS],
        intended_ns=2 * S - 20 * MS,
        ready_ns=2 * S - 9 * MS,
        dns_ns=MS,
        connect_ns=2 * MS,
        tls_ns=3 * MS,
        lag_ns=MS // 2,
        output_tokens=9,
    )
    recorder = recorded([one])
    found = {name: recorder.histogram(name).total_ns for name in figures(recorder).latencies}
    assert found == {
        "ttft": 80 * MS,
        "ttft_from_intended": 100 * MS,
        "itl": 40 * MS,
        "request_mean_gap": 20 * MS,
        "tpot": 5 * MS,
        "e2e": 120 * MS,
        "e2e_from_intended": 140 * MS,
        "queueing": 14 * MS,
        "lateness": 3 * MS,
        "connecting": 6 * MS,
        "dns": MS,
        "connect": 2 * MS,
        "tls": 3 * MS,
        "first_byte": 79 * MS,
        "read_lag": MS // 2,
    }


def test_an_answer_in_one_chunk_has_no_gap_and_no_time_per_token() -> None:
    latencies = figures(recorded([sample(gaps_ns=(), output_tokens=50)])).latencies
    assert {"itl", "tpot", "request_mean_gap"}.isdisjoint(latencies)


def test_without_a_plan_of_times_nothing_counts_from_an_intended_start() -> None:
    latencies = figures(recorded([sample(intended_ns=None)])).latencies
    assert {"ttft_from_intended", "e2e_from_intended"}.isdisjoint(latencies)


def test_an_empty_answer_has_an_end_but_no_first_token() -> None:
    latencies = figures(recorded([sample(chunk_ns=array("q"), done_ns=30 * MS, output_tokens=0)])).latencies
    assert "ttft" not in latencies
    assert latencies["e2e"].mean_ms == 30


def test_chunks_without_a_count_are_the_tokens_and_are_said_to_be() -> None:
    recorder = recorded([sample(output_tokens=None)])
    assert recorder.total("output_tokens") == 3
    assert recorder.recording().counted == {"streamed chunks": 1}


def test_a_failure_that_had_begun_to_answer_counts_as_a_failure_only() -> None:
    recorder = recorded([sample(error="reset")])
    assert recorder.total("chunks") == recorder.total("output_tokens") == 0
    assert recorder.histogram("itl").infinite == recorder.histogram("e2e").infinite == 1
    assert recorder.errors == {"reset": 1}


def test_gaps_and_tokens_belong_to_the_second_they_came_in() -> None:
    one = sample(at_ns=0, ttft_ns=S // 2, gaps_ns=[S, S], output_tokens=30)
    recorder = recorded([one])
    assert list(recorder.seconds.columns["output_tokens"]) == [10, 10, 10]
    assert [at for at, _ in recorder.slices.of("itl")] == [1, 2]


@given(st.lists(st.integers(0, 5 * S), max_size=20))
def test_chunks_are_cut_at_seconds_without_losing_any(at_ns: list[int]) -> None:
    cut = list(by_second(array("q", at_ns)))
    assert [first for _, first, _ in cut] == [0, *[past for _, _, past in cut]][: len(cut)]
    assert sum(past - first for _, first, past in cut) == len(at_ns)


def test_chunks_that_run_backwards_have_no_gap_below_zero() -> None:
    assert list(gaps_ns([5, 3, 9])) == [0.0, 6.0]


def test_a_day_s_run_is_kept_in_few_slices() -> None:
    recorder = recorded(sample(at_ns=minute * 60 * S) for minute in range(24 * 60))
    assert len(recorder.recording().slices) <= MOST_SLICES
    assert recorder.histogram("ttft").finite == 24 * 60
    assert [moment.started for moment in timeline(recorder)] == [
        sum(1 for minute in range(24 * 60) if moment.from_s <= minute * 60 < moment.from_s + 2048)
        for moment in timeline(recorder)
    ]


def test_a_window_has_only_its_own() -> None:
    recorder = recorded(sample(at_ns=second * S, ttft_ns=(second + 1) * MS) for second in range(10))
    found = figures(recorder, Window(3, 5))
    assert found.started == found.completed == 2
    assert round(found.latencies["ttft"].most_ms or 0, 1) == 5
    assert found.rates.requests_per_s == 1.0


def test_what_is_under_way_is_seen_along_the_run() -> None:
    recorder = recorded([sample(ttft_ns=3 * S - S // 2), sample(at_ns=S), failed(at_ns=S)])
    assert [moment.in_flight for moment in timeline(recorder)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("limits", "good"),
    [
        (RequestLimits(ttft_ns=50 * MS), True),
        (RequestLimits(ttft_ns=50 * MS - 1), False),
        (RequestLimits(gap_ns=10 * MS), True),
        (RequestLimits(gap_ns=10 * MS - 1), False),
        (RequestLimits(tpot_ns=10 * MS), True),
        (RequestLimits(tpot_ns=10 * MS - 1), False),
        (RequestLimits(e2e_ns=70 * MS), True),
        (RequestLimits(e2e_ns=70 * MS - 1), False),
    ],
)
def test_a_request_is_good_when_it_keeps_every_limit_itself(limits: RequestLimits, *, good: bool) -> None:
    recorder = Recorder(limits=limits)
    for one in (sample(), failed()):
        recorder.on_sample(one)
    assert recorder.total("good") == good
    assert figures(recorder).rates.goodput == (50 if good else 0)


def test_without_limits_there_is_no_goodput() -> None:
    found = figures(recorded([sample()]))
    assert found.good is found.rates.goodput is found.rates.goodput_per_s is None


def test_shards_with_other_limits_are_not_put_together() -> None:
    with pytest.raises(UsageFault, match="different limits"):
        merge([Recorder(limits=RequestLimits(ttft_ns=1)), Recorder()])


def test_nothing_to_put_together_is_a_mistake() -> None:
    with pytest.raises(UsageFault, match="nothing to put together"):
        merge([])


def test_a_server_cannot_fill_the_memory_with_kinds_of_errors() -> None:
    recorder = recorded(failed(error=f"kind {number}") for number in range(2000))
    assert len(recorder.errors) < 300
    assert sum(recorder.errors.values()) == 2000
    assert recorder.errors["others"] > 1000


@pytest.mark.parametrize(
    "torn",
    [
        {"slice_s": 3},
        {"slice_s": 0},
        {"last_ns": -1},
        {"errors": {"reset": -1}},
        {"slices": (StoredSlice(0, {}), StoredSlice(0, {}))},
        {"slices": (StoredSlice(-1, {}),)},
        {"slices": (StoredSlice(0, {"ttft": StoredHistogram((1, 2), (1,), 0, 0)}),)},
        {"slices": (StoredSlice(0, {"ttft": StoredHistogram((2, 1), (1, 1), 0, 0)}),)},
        {"slices": (StoredSlice(0, {"ttft": StoredHistogram((LARGEST_BUCKET + 1,), (1,), 0, 0)}),)},
        {"slices": (StoredSlice(0, {"ttft": StoredHistogram((1,), (-1,), 0, 0)}),)},
    ],
)
def test_a_damaged_recording_is_refused(torn: dict[str, object]) -> None:
    with pytest.raises(UsageFault, match="damaged"):
        from_recording(replace(recorded([sample()]).recording(), **torn))


def warming(seconds: int = 60) -> list[Sample]:
    chance = Random(9)
    slow = [max(1.0, 6 - second) for second in range(seconds)]
    return [
        sample(at_ns=second * S + part * S // 10, ttft_ns=round(slow[second] * chance.gauss(50, 5) * MS))
        for second in range(seconds)
        for part in range(10)
    ]


def test_a_warm_up_is_found_and_left_out() -> None:
    steady = steady_part(recorded(warming()), DETECTED)
    assert steady is not None
    assert 4 <= steady.window.start_s <= 7
    assert steady.window.end_s == 59
    assert "found" in steady.marked


@pytest.mark.parametrize(
    ("warm_up", "start_s"), [(WarmUp(first_s=7.2), 8), (WarmUp(first_requests=25), 3), (WarmUp(first_s=2), 2)]
)
def test_a_given_warm_up_is_left_out(warm_up: WarmUp, start_s: int) -> None:
    steady = steady_part(recorded(warming()), warm_up)
    assert steady is not None
    assert steady.window == Window(start_s, 59)
    assert "given" in steady.marked


def test_nothing_is_marked_where_nothing_is_left_out_or_over() -> None:
    recorder = recorded(warming(5))
    assert steady_part(recorder, WarmUp()) is None
    assert steady_part(recorder, WarmUp(first_s=60)) is None
    assert steady_part(recorder, WarmUp(first_requests=1000)) is None
    assert steady_part(recorder, DETECTED) is None


def test_a_long_run_is_settled_in_batches_and_loses_nothing() -> None:
    many = list(run(5, 200, fails=0.1))
    recorder = Recorder()
    for one in many:
        recorder.on_sample(one)
    assert asked(recorder) == 1000
    assert sum(counts.completed + counts.failed for counts in recorder.recording().models.values()) == 1000
