"""The text form of loads and works: what is typed is what is made, and every fault names its parameter."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import shapes, work
from harpoon_cli.bench.asking import lengths
from harpoon_cli.bench.planning import parameters
from harpoon_cli.bench.planning.load import Load
from harpoon_cli.bench.planning.quantities import SECONDS
from harpoon_cli.bench.work.jsonl import Jsonl
from harpoon_cli.errors import UsageFault

LOADS = {
    "closed": "closed:concurrency=64,for=60s",
    "constant": "constant:rate=2.5,requests=100",
    "poisson": "poisson:rate=40,for=5400s",
    "gamma": "gamma:rate=40,burstiness=0.5,for=60s",
    "ramp": "ramp:from=0,to=50,over=300s,for=400s",
    "step": "step:from=10,to=40,by=10,each=60s,arrivals=even",
    "spike": "spike:base=5,peak=100,at=30s,lasts=10s",
    "soak": "soak:for=28800s,rate=20,window=900s",
    "sweep": "sweep:over=rate,from=0.5,to=64,growth=1.5,refine=0,each=10s,requests=50",
    "trace": "trace:path=/data/trace.jsonl,format=mooncake,from=60s,bad_rows=3,speed=2",
}
WORKS = {
    "synthetic": "synthetic:input=lognormal(9,2.5),output=1..200,prefix=9,prefixes=8,turns=1..3",
    "jsonl": "jsonl:path=prompts.jsonl,output=normal(64,8),records=5,order=shuffled,bad_rows=1",
    "sharegpt": "sharegpt:path=sharegpt.json,turns=4,longest=4096",
    "text": "text:path=notes,each=paragraph",
    "trace": "trace:path=trace.csv,format=azure",
}


def test_every_shape_and_every_source_is_in_these_tests() -> None:
    assert set(LOADS) == set(shapes.FOLDER.names())
    assert set(WORKS) == set(work.FOLDER.names())


@pytest.mark.parametrize("text", LOADS.values())
def test_the_text_of_a_load_makes_it_and_is_made_of_it(text: str) -> None:
    assert shapes.write(shapes.parse(text)) == text


@pytest.mark.parametrize("text", WORKS.values())
def test_the_text_of_a_work_makes_it_and_is_made_of_it(text: str) -> None:
    assert work.write(work.parse(text)) == text


@pytest.mark.parametrize("folder", [shapes.FOLDER, work.FOLDER])
def test_every_file_says_in_one_line_what_it_is(folder: object) -> None:
    assert isinstance(folder, type(shapes.FOLDER))
    for name in folder.names():
        assert folder.line(name).endswith((".", ":"))


@pytest.mark.parametrize(
    "owner", [*map(shapes.shape, shapes.FOLDER.names()), *map(work.source, work.FOLDER.names())]
)
def test_every_parameter_takes_its_own_example(owner: type) -> None:
    known = parameters.declared(owner)
    assert len({one.key for one in known}) == len(known)
    for one in known:
        assert one.help
        one.kind.read(one.kind.example)


def test_the_first_value_may_stand_without_its_key() -> None:
    assert shapes.parse("poisson:40,for=60s") == shapes.parse("poisson:rate=40,for=60s")
    assert work.parse("jsonl:prompts.jsonl") == work.parse("jsonl:path=prompts.jsonl")


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
@example('a,b "c" (d')
@example("=")
@example(":")
@example("((")
def test_any_path_goes_through_the_text_form(name: str) -> None:
    made = work.parse(work.write(Jsonl(path=Path(name))))
    assert made.files == (Path(name),)


@settings(deadline=None)
@given(st.floats(0.000001, 30 * 86_400))
def test_a_duration_is_read_as_it_was_written(duration_s: float) -> None:
    assert SECONDS.read(SECONDS.write(duration_s)) == pytest.approx(duration_s, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("90", 90), ("1h30m", 5400), ("500ms", 0.5), ("250us", 0.00025), ("1.5m", 90), ("30d", 2_592_000)],
)
def test_durations_are_read_as_people_write_them(text: str, duration_s: float) -> None:
    assert SECONDS.read(text) == pytest.approx(duration_s)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nonsense:rate=1", "nonsense"),
        ("poisson:rte=4", "rte"),
        ("poisson", "rate"),
        ("poisson:rate=0", "rate=0"),
        ("poisson:rate=-1", "rate=-1"),
        ("poisson:rate=1e9", "rate=1e9"),
        ("poisson:rate=nan", "rate=nan"),
        ("poisson:rate=٤", "rate=٤"),
        ("poisson:rate=4,rate=5", "rate is given twice"),
        ("poisson:rate=4,,for=1s", "missing"),
        ("poisson:rate=4,for=1s,", "missing"),
        ('poisson:rate="4', "not closed"),
        ("poisson:rate=(4", "not closed"),
        ("poisson:4,60s", "60s"),
        ("poisson:rate=4,for=31d", "for=31d"),
        ("poisson:rate=4,for=0", "for=0"),
        ("poisson:rate=4,requests=99999999999999999999", "requests=999"),
        ("step:from=40,to=10,by=1,each=1s", "to is less than from"),
        ("step:from=1,to=1000000,by=0.1,each=1s", "steps"),
        ("spike:base=1,peak=9,at=30s,lasts=5s,for=34s", "before the peak"),
        ("soak:for=60s", "either rate or concurrency"),
        ("soak:rate=4", "for must be given"),
        ("soak:rate=4,for=30d,window=1s", "windows"),
        ("sweep:from=8,to=4", "to is less than from"),
        ("sweep:from=0.5", "less than one"),
        ("trace:t.csv,format=xml", "format=xml"),
        ("closed:" + "9" * 20_000, "longer than"),
        ("../load:1", "../load"),
        ("_hidden", "_hidden"),
        ("", "''"),
    ],
)
def test_a_load_that_cannot_be_is_a_usage_fault_that_names_the_culprit(text: str, names: str) -> None:
    with pytest.raises(UsageFault) as fault:
        shapes.parse(text)
    assert names in fault.value.message
    assert fault.value.hint
    assert len(fault.value.message) < 300


def test_a_fault_lists_the_parameters_there_are_with_their_units() -> None:
    with pytest.raises(UsageFault) as fault:
        shapes.parse("ramp:from=1,till=9")
    hint = fault.value.hint or ""
    assert "from=0 (requests a second at the start)" in hint
    assert "over=60s (how long the change takes)" in hint


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", *(f"{name}:" for name in LOADS)]))
def test_no_text_of_a_load_ends_in_anything_but_a_load_or_a_usage_fault(text: str, name: str) -> None:
    with suppress(UsageFault):
        assert isinstance(shapes.parse(name + text), Load)


@pytest.mark.parametrize(
    "text",
    ["0", "", "-4", "9..4", "1..", "normal(0,4)", "normal(4)", "lognormal(9,9999999)", "gauss(1,2)", "1e3"],
)
def test_a_length_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="input="):
        work.parse(f"synthetic:input={text}")


LENGTHS = st.sampled_from(
    ["1", "256", "1..4", "128..512", "normal(256,64)", "lognormal(256,900)", "exponential(90.5)"]
)


@settings(deadline=None)
@given(LENGTHS, st.floats(1e-12, 1 - 1e-12), st.floats(1e-12, 1 - 1e-12))
def test_a_length_is_in_its_bounds_and_grows_with_its_share(text: str, first: float, second: float) -> None:
    length = lengths.parse(text)
    low, high = (length.at(share) for share in sorted((first, second)))
    assert 1 <= low <= high <= lengths.LONGEST_TOKENS
    assert str(length) == text


@pytest.mark.parametrize(
    ("text", "mean", "deviation"),
    [
        ("256", 256, 0),
        ("101..300", 200.5, 57.7),
        ("normal(1000,100)", 1000, 100),
        ("lognormal(1000,500)", 1000, 500),
        ("exponential(1000)", 1000, 1000),
    ],
)
def test_lengths_have_the_mean_and_the_deviation_asked_for(text: str, mean: float, deviation: float) -> None:
    length = lengths.parse(text)
    drawn = [length.at((number + 0.5) / 20_000) for number in range(20_000)]
    found = sum(drawn) / len(drawn)
    assert found == pytest.approx(mean, rel=0.01)
    variance = sum((one - found) ** 2 for one in drawn) / len(drawn)
    assert variance**0.5 == pytest.approx(deviation, rel=0.03, abs=0.1)


def test_uniform_lengths_come_as_often_as_one_another() -> None:
    length = lengths.parse("1..4")
    drawn = [length.at((number + 0.5) / 1000) for number in range(1000)]
    assert [drawn.count(tokens) for tokens in (1, 2, 3, 4)] == [250, 250, 250, 250]
