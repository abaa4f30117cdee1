"""Trace formats: what the published files look like is read, and every bad row is told by its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import traces
from harpoon_cli.bench.asking import rows
from harpoon_cli.bench.traces import Row
from harpoon_cli.errors import UsageFault

MOONCAKE = """\
{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47, 2366]}
{"timestamp": 30535, "input_length": 10, "output_length": 1}
"""
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:16:46.6805900,879,0
2023-11-16 18:17:46.6805900,91,16
"""
AZURE_2024 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:01+00:00,2399,6
"""
BURSTGPT = """\
Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
50,GPT-4,0,0,0,Conversation log
118,GPT-4,417,276,693,"Conversation log, API"
"""
BURSTGPT_2 = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
1.5,7,0.3,ChatGPT,12.0,4,16,Conversation log
2.75,,0.1,GPT-4,5,6,11,API log
"""
OURS = """\
{"at_s": 0, "input_tokens": 12, "output_tokens": 34}
{"at_s": 1.25, "output_tokens": 3, "prompt": "Why is the sky blue?"}
"""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "trace"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def brief(found: list[Row]) -> list[tuple[float, int, int]]:
    return [(round(row.at_s, 6), row.input_tokens, row.output_tokens) for row in found]


READ = {
    "mooncake": (MOONCAKE, [(0, 6955, 52), (3.053, 6472, 26), (3.053, 10, 1)]),
    "azure": (AZURE, [(0, 374, 44), (4.314579, 396, 109), (120, 91, 16)]),
    "azure of 2024": (AZURE_2024, [(0, 2162, 5), (0.99007, 2399, 6)]),
    "burstgpt": (BURSTGPT, [(0, 472, 18), (40, 1087, 230), (113, 417, 276)]),
    "burstgpt with sessions": (BURSTGPT_2, [(0, 12, 4), (1.25, 5, 6)]),
    "jsonl": (OURS, [(0, 12, 34), (1.25, 0, 3)]),
}


def test_every_format_is_in_these_tests() -> None:
    assert {name.split()[0] for name in READ} == set(traces.FOLDER.names())


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("named", [True, False])
def test_a_trace_is_read_by_its_name_and_by_its_looks(write: Write, name: str, named: bool) -> None:
    content, expected = READ[name]
    path = write(content)
    assert brief(list(traces.rows(path, name.split()[0] if named else traces.AUTO))) == expected


@pytest.mark.parametrize("name", READ)
def test_how_lines_end_blank_lines_and_a_mark_of_the_byte_order_change_nothing(
    write: Write, name: str
) -> None:
    content, expected = READ[name]
    path = write(b"\xef\xbb\xbf" + content.replace("\n", "\r\n\r\n").encode() + b"\r\n  \r\n")
    assert brief(list(traces.rows(path))) == expected


def test_the_order_and_case_of_columns_change_nothing(write: Write) -> None:
    path = write("extra, generatedtokens ,ContextTokens,TimeStamp\n,5,9,2024-05-10T00:00:00Z\n")
    assert brief(list(traces.rows(path))) == [(0, 9, 5)]


def test_mooncakes_blocks_and_our_prompts_are_kept(write: Write) -> None:
    first, _, last = traces.rows(write(MOONCAKE))
    assert (first.blocks, first.block_tokens, last.blocks) == (("46", "47", "2353"), 512, ())
    assert [row.prompt for row in traces.rows(write(OURS))] == [None, "Why is the sky blue?"]


def test_a_trace_can_be_begun_in_its_middle(write: Write) -> None:
    path = write(BURSTGPT)
    assert brief(list(traces.rows(path, from_s=40))) == [(40, 1087, 230), (113, 417, 276)]
    with pytest.raises(UsageFault, match="no requests 500 s after its first"):
        traces.rows(path, from_s=500)


BAD: dict[str, tuple[str | bytes, int, str]] = {
    "not JSON": (MOONCAKE + "{oops\n", 4, "not JSON"),
    "not an object": (MOONCAKE + "[1]\n", 4, "JSON object"),
    "nested without end": (MOONCAKE + "[" * 100_000 + "\n", 4, "nested too deeply"),
    "a number too long": (MOONCAKE + '{"timestamp": ' + "9" * 5000 + "}\n", 4, "JSON"),
    "an infinite number": (MOONCAKE + '{"timestamp": 1e999}\n', 4, "too large"),
    "a field missing": (MOONCAKE + '{"timestamp": 99999, "input_length": 5}\n', 4, "lacks"),
    "a negative length": (
        MOONCAKE + '{"timestamp": 99999, "input_length": -5, "output_length": 1}\n',
        4,
        "input_length",
    ),
    "an absurd length": (
        MOONCAKE + '{"timestamp": 99999, "input_length": 1, "output_length": 99999999999}\n',
        4,
        "more than 10,000,000 tokens",
    ),
    "ids that are none": (
        MOONCAKE + '{"timestamp": 99999, "input_length": 1, "output_length": 9, "hash_ids": [{}]}\n',
        4,
        "hash_ids",
    ),
    "back in time": (
        MOONCAKE + '{"timestamp": 1, "input_length": 5, "output_length": 5}\n',
        4,
        "before the one above",
    ),
    "bytes that are no text": (MOONCAKE.encode() + b"\xff\xfe\n", 4, "not UTF-8"),
    "binary": (MOONCAKE.encode() + b"\0\0\n", 4, "NUL"),
    "no time": (AZURE + "yesterday,1,2\n", 6, "TIMESTAMP is 'yesterday'"),
    "no such day": (AZURE + "2024-13-45 00:00:00,1,2\n", 6, "month"),
    "no number": (AZURE + "2024-01-01 00:00:00,many,2\n", 6, "ContextTokens is 'many'"),
    "half a token": (AZURE + "2024-01-01 00:00:00,1.5,2\n", 6, "ContextTokens is '1.5'"),
    "too few columns": (BURSTGPT + "900,x\n", 6, "only 2 columns"),
    "an open quote": (BURSTGPT + '900,"x\n', 6, "not comma-separated"),
    "not a number of seconds": (BURSTGPT + "nan,x,1,2,3,x\n", 6, "Timestamp is 'nan'"),
    "nothing asked": (OURS + '{"at_s": 5, "output_tokens": 3}\n', 3, "lacks"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_told_by_its_line_and_can_be_left_out(write: Write, name: str) -> None:
    content, line, why = BAD[name]
    path = write(content)
    with pytest.raises(UsageFault, match="line") as fault:
        list(traces.rows(path))
    assert f"{path}, line {line}: " in fault.value.message
    assert why in fault.value.message
    assert "bad_rows" in (fault.value.hint or "")
    left = list(traces.rows(path, bad_rows=1))
    good = b"".join(path.read_bytes().splitlines(keepends=True)[: line - 1])
    assert left == list(traces.rows(write(good)))


def test_an_overlong_line_is_told_and_read_past(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_LINE_BYTES", 1000)
    path = write(OURS + "x" * 100_000 + "\n" + '{"at_s": 9, "input_tokens": 1, "output_tokens": 1}\n')
    with pytest.raises(UsageFault, match="line 3: the line is longer"):
        list(traces.rows(path))
    assert len(list(traces.rows(path, bad_rows=1))) == 3


def test_more_bad_rows_than_allowed_end_it_at_the_last_straw(write: Write) -> None:
    path = write(OURS + "x\ny\nz\n")
    assert len(list(traces.rows(path, bad_rows=3))) == 2
    with pytest.raises(UsageFault, match=r"line 5: .*bad row 3"):
        list(traces.rows(path, bad_rows=2))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "no known trace format"),
        ("\n\n", "no known trace format"),
        ("a,b,c\n1,2,3\n", "no known trace format"),
        (b"\x89PNG\r\n\x1a\n\0", "line 1"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no requests"),
        ("Timestamp,Request tokens,Response tokens\n1,0,0\n", "no requests"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_at_once(write: Write, content: str | bytes, why: str) -> None:
    with pytest.raises(UsageFault, match=why):
        traces.rows(write(content))


def test_a_named_format_that_the_file_is_not_of_says_which_columns_lack(write: Write) -> None:
    with pytest.raises(UsageFault, match="no column contexttokens or generatedtokens"):
        traces.rows(write(BURSTGPT), "azure")


@pytest.mark.parametrize("path", ["/dev/zero", "/nowhere/at/all", "/", "/proc/self/mem", "x" * 5000])
def test_a_path_that_is_no_readable_file_is_refused(path: str) -> None:
    with pytest.raises(UsageFault):
        traces.rows(Path(path))


HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([MOONCAKE, AZURE, BURSTGPT, OURS]).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.binary(max_size=20)).map(
            lambda cut: text[: cut[0]].encode() + cut[1] + text[cut[0] :].encode()
        )
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, st.integers(0, 5), st.sampled_from([traces.AUTO, *traces.FOLDER.names()]))
def test_any_bytes_end_in_rows_in_order_of_time_or_in_a_usage_fault(
    write: Write, content: bytes, bad_rows: int, name: str
) -> None:
    path = write(content)
    try:
        found = list(traces.rows(path, name, bad_rows=bad_rows))
    except UsageFault:
        return
    assert found[0].at_s == 0
    assert [row.at_s for row in found] == sorted(row.at_s for row in found)
    assert all(row.output_tokens > 0 for row in found)
