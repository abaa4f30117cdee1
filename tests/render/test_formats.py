"""Whole outputs of every format, as they reach stdout."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.errors import UsageFault
from harpoon_cli.render import formats
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Text, Tone
from harpoon_cli.render.terminal import Channel, Terminal

from .samples import FACTS, HOSTILE, HOSTILE_SHOWN, LEASE, PIPED, POOLS, on_terminal, outcome_of, show


def test_a_table_has_bold_titles_over_a_rule_and_figures_to_the_right() -> None:
    assert show(Outcome(views=(POOLS,)), on_terminal(80)).out == (
        "Pools\n"
        "Pool       GPU          Free     Price  Status\n"
        "───────────────────────────────────────────────\n"
        "pool-l4    NVIDIA L4     3/8   $0.60/h  healthy\n"
        "pool-h100  NVIDIA H100   0/2  $12.50/h  full\n"
    )


def test_colours_are_those_of_the_tones_and_change_no_letter() -> None:
    coloured = show(Outcome(views=(POOLS,)), on_terminal(80, colour=True)).out
    assert set(re.findall(r"\x1b\[([0-9;]*)m", coloured)) == {"0", "1", "2", "32", "33"}
    assert coloured.startswith("\x1b[1mPools\x1b[0m\n\x1b[1mPool ")
    assert "\x1b[32mhealthy" in coloured
    assert "\x1b[33mfull" in coloured
    letters = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in letters.splitlines()] == (
        show(Outcome(views=(POOLS,)), on_terminal(80)).out.splitlines()
    )


NARROW = (
    "Pools\n"
    "Pool:   pool-l4\n"
    "GPU:    NVIDIA L4\n"
    "Free:   3/8\n"
    "Price:  $0.60/h\n"
    "Status: healthy\n"
    "\n"
    "Pool:   pool-h100\n"
    "GPU:    NVIDIA H100\n"
    "Free:   0/2\n"
    "Price:  $12.50/h\n"
    "Status: full\n"
)


def test_a_table_that_does_not_fit_becomes_a_block_a_row() -> None:
    assert show(Outcome(views=(POOLS,)), on_terminal(40)).out == NARROW
    assert show(Outcome(views=(POOLS,)), on_terminal(46)).out == NARROW
    assert show(Outcome(views=(POOLS,)), on_terminal(47)).out != NARROW


def test_an_accessible_terminal_gets_blocks_at_any_width() -> None:
    terminal = Terminal(out=Channel(is_tty=True), width=200, accessible=True)
    assert show(Outcome(views=(POOLS,)), terminal).out == NARROW


def test_prose_is_wrapped_before_a_table_becomes_blocks() -> None:
    view = Table(
        (Column("check", "Check"), Column("fix", "Fix")),
        (("key", "set  HOSTED_AI_API_KEY in the environment or in the user file"), ("pool", "none")),
    )
    assert show(Outcome(views=(view,)), on_terminal(50)).out == (
        "Check  Fix\n"
        "──────────────────────────────────────────────────\n"
        "key    set  HOSTED_AI_API_KEY in the environment\n"
        "       or in the user file\n"
        "pool   none\n"
    )


def test_an_id_is_whole_at_40_columns_and_stands_alone_where_it_must() -> None:
    assert show(Outcome(views=(FACTS,)), on_terminal(40)).out == (
        f"endpoint: sandbox\nlease:\n  {LEASE}\nanswer:   42\n"
    )
    assert show(Outcome(views=(FACTS,)), on_terminal(20)).out == (
        f"endpoint: sandbox\nlease:\n  {LEASE}\nanswer:   42\n"
    )


def test_wide_characters_keep_the_columns_straight() -> None:
    view = Table((Column("a", "名"), Column("b", "B")), (("日本", "x"), ("👩‍👩‍👧‍👦", "y"), ("e\u0301", "z")))
    assert show(Outcome(views=(view,)), on_terminal(80)).out == (
        "名    B\n───────\n日本  x\n👩‍👩‍👧‍👦    y\ne\u0301     z\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
def test_a_terminal_without_unicode_gets_ascii_and_escapes(encoding: str) -> None:
    view = Table((Column("a", "Name"), Column("b", "B")), (("日 ü", "x"),))
    shown = show(Outcome(views=(view,)), on_terminal(80, encoding=encoding)).out
    name = "\\u65e5 ü" if encoding == "iso8859-1" else "\\u65e5 \\xfc"
    pad = " " * (len(name) - 4)
    assert shown == f"Name{pad}  B\n{'-' * len(name)}---\n{name}  x\n"


def test_an_empty_table_is_a_sentence_for_people_and_a_header_for_programs() -> None:
    outcome = Outcome(views=(Table((Column("lease_id", "Lease"),), (), empty="no lease is open"),))
    assert show(outcome, on_terminal()).out == "no lease is open\n"
    assert show(outcome, PIPED).out == "lease_id\n"


def test_views_are_set_apart_and_a_text_is_as_it_is() -> None:
    outcome = Outcome(
        views=(Facts((("a", "1"), ("bb", Cell("2", Tone.BAD))), title="Both"), Text("x  \n [b]\t\n"))
    )
    assert show(outcome, on_terminal()).out == "Both\na:  1\nbb: 2\n\nx  \n [b]\t\n"
    assert show(outcome, PIPED).out == "a\t1\nbb\t2\n\nx  \n [b]\t\n"


def test_a_pipe_gets_uncut_tab_separated_values() -> None:
    long = "long " * 100 + "\ttab\nline"
    outcome = Outcome(views=(POOLS, Table((Column("a_b", "A b"),), ((long,),))))
    assert show(outcome, PIPED).out == (
        "pool_id\tgpu\tslices_free\tusd_per_hour\tstatus\n"
        "pool-l4\tNVIDIA L4\t3/8\t$0.60/h\thealthy\n"
        "pool-h100\tNVIDIA H100\t0/2\t$12.50/h\tfull\n"
        "\n"
        f"a_b\n{'long ' * 100}\\ttab\\nline\n"
    )


def test_ids_are_one_a_line() -> None:
    outcome = Outcome(views=(POOLS,), ids=("a", "b\nc"))
    assert show(outcome, on_terminal(), "ids").out == "a\nb\\nc\n"
    assert show(Outcome(views=(POOLS,)), on_terminal(), "ids").out == ""


@pytest.mark.parametrize("output", formats.names())
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_hostile_text_is_shown_and_not_obeyed_in_every_format(output: str, width: int) -> None:
    shown = show(outcome_of(HOSTILE), on_terminal(width), output)
    assert not any(ord(character) < 0x20 and character not in "\n\t" for character in shown.out + shown.err)
    assert not set(shown.out + shown.err) & set("\x7f\x9b\u202e\u2066\u200b\U000e0041\ud800")
    assert "[bold red]x[/]" in shown.err
    assert ":smile:" in shown.out
    if output == "ids":
        assert shown.out == HOSTILE_SHOWN + "\n"


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), st.sampled_from([20, 40, 80]))
def test_any_text_goes_through_any_format_without_harm(text: str, width: int) -> None:
    for output in formats.names():
        shown = show(outcome_of(text), on_terminal(width), output)
        assert not any(
            ord(character) < 0x20 and character not in "\n\t" for character in shown.out + shown.err
        )
        shown.out.encode()


def test_the_json_of_hostile_text_has_its_very_value() -> None:
    whole = show(outcome_of(HOSTILE), on_terminal(), "json").out
    assert json.loads(whole)["data"]["rows"][0]["id"] == HOSTILE
    assert "\\u202eevil\\u2066" in whole
    assert "\\udb40\\udc41" in whole


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(UsageFault) as caught:
        formats.load("yaml")
    assert caught.value.message == "there is no output format 'yaml'"
    assert caught.value.hint == "use --output with one of: ids, json, table, tsv"


def test_a_format_is_added_by_adding_its_file(tmp_path: Path) -> None:
    package = Path(formats.__file__).parents[2]
    shutil.copytree(package, tmp_path / "harpoon_cli", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "harpoon_cli/render/formats/count.py").write_text(
        "def render(printout):\n    return f'{len(printout.outcome.ids)} ids\\n'\n"
    )
    program = (
        "import sys\n"
        "from harpoon_cli.render.outcome import Outcome\n"
        "from harpoon_cli.render.screen import Screen\n"
        "from harpoon_cli.render.terminal import Terminal\n"
        "screen = Screen(Terminal(), stdout=sys.stdout, stderr=sys.stderr, output='count')\n"
        "screen.finish(Outcome(ids=('a', 'b')), command='leases', endpoint=None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("2 ids\n", "")


MANY_COLUMNS = Table(
    columns=[
        Column("lease", "lease"),
        Column("pool", "pool", minor=True),
        Column("cost", "cost quoted", right=True),
        Column("region", "region", minor=True),
    ],
    rows=[["alloc-1234567890", "gpu-pool-1", "$0.01", "eu-north"]],
)


def test_a_title_of_several_words_stands_on_several_lines_where_room_is_short() -> None:
    assert show(Outcome(views=(MANY_COLUMNS,)), on_terminal(50)).out == (
        "                                cost\n"
        "lease             pool        quoted  region\n"
        "──────────────────────────────────────────────\n"
        "alloc-1234567890  gpu-pool-1   $0.01  eu-north\n"
    )


def test_minor_columns_give_way_from_the_right_and_are_named_below() -> None:
    assert show(Outcome(views=(MANY_COLUMNS,)), on_terminal(40)).out == (
        "                                cost\n"
        "lease             pool        quoted\n"
        "────────────────────────────────────\n"
        "alloc-1234567890  gpu-pool-1   $0.01\n"
        "(not shown: region; a wider terminal or\n"
        "-o tsv has them)\n"
    )


def test_what_a_terminal_leaves_out_a_pipe_has() -> None:
    assert show(Outcome(views=(MANY_COLUMNS,)), PIPED).out == (
        "lease\tpool\tcost\tregion\nalloc-1234567890\tgpu-pool-1\t$0.01\teu-north\n"
    )
