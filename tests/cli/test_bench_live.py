"""What is shown while a load test runs, on a terminal and in a log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO

from harpoon_cli.bench.planning.plan import Plan
from harpoon_cli.bench.shapes import parse as load
from harpoon_cli.bench.work import parse as work
from harpoon_cli.cli.bench import live
from harpoon_cli.cli.bench.charts import Charts
from harpoon_cli.cli.bench.live import LiveView
from harpoon_cli.domain import Money, Origin
from harpoon_cli.render.panel import Panel
from harpoon_cli.render.screen import Screen
from harpoon_cli.render.terminal import Channel, Terminal
from harpoon_cli.values import replace
from tests.bench.simulated import failed, recorded, run

LIVE = Terminal(out=Channel(is_tty=True, live=True), err=Channel(is_tty=True, live=True))
PIPED = Terminal()
PLAN = Plan(load("constant:40,for=30s"), work("synthetic"), "m")
RECORDER = recorded([*run(10, 40), *(failed(400 + number, at_ns=10**10) for number in range(3))])
SPENT = Money(Decimal("0.25"), "USD", Origin.QUOTED)


def view(terminal: Terminal, err: StringIO, *, quiet: bool = False) -> LiveView:
    """A view on a screen whose clock says that 10 s have passed since the stage began."""
    seconds = iter([0.0, 0.0, 10.0, 10.0])
    screen = Screen(terminal, stdout=StringIO(), stderr=err, quiet=quiet)
    made = LiveView(screen, lambda: SPENT, clock=lambda: next(seconds))
    made.take(PLAN, RECORDER)
    return made


def test_a_log_gets_one_line_with_what_matters() -> None:
    err = StringIO()
    view(PIPED, err).show(None, PLAN, RECORDER)
    assert err.getvalue() == (
        "bench: constant:rate=40,for=30s, 10 s of 30 s, 40/s, 400 answered, 3 failed, $0.25 quoted so far\n"
    )


def test_figures_that_are_older_than_what_is_going_on_say_up_to_when_they_go() -> None:
    lines = view(LIVE, StringIO()).lines(PLAN, RECORDER, 14.0)
    assert lines[0] == "constant:rate=40,for=30s, 14 s of 30 s, figures up to 10 s"


def test_a_terminal_gets_latencies_rates_cost_and_a_line_of_bars() -> None:
    lines = view(LIVE, StringIO()).lines(PLAN, RECORDER, 10.0)
    assert lines[0] == "constant:rate=40,for=30s, 10 s of 30 s"
    assert lines[1].endswith("━─" + "─" * 47 + "  33%")
    names = [line.split()[0] for line in lines[2:]]
    assert names[:9] == ["requests", "tokens", "p50", "TTFT", "ITL", "E2E", "failed", "cost", "answers/s"]
    assert set("".join(lines[-1].split())) <= set("▁▂▃▄▅▆▇█")
    assert lines[4].split() == ["p50", "p90", "p99", "p99", "lately"]
    assert "3 http_503" in lines[8]


def test_a_narrow_terminal_cuts_no_figure_and_a_tall_one_is_filled() -> None:
    narrow = view(replace(LIVE, width=40), StringIO()).lines(PLAN, RECORDER, 10.0)
    assert max(map(len, narrow[1:])) <= 40
    assert lines_of(narrow, "TTFT").split() == ["TTFT", "44", "ms", "78", "ms", "0.11", "s"]
    low, tall = (
        len(view(replace(LIVE, height=rows), StringIO()).lines(PLAN, RECORDER, 10.0)) for rows in (12, 60)
    )
    assert tall - low == live.TALLEST - 1


def lines_of(lines: Sequence[str], name: str) -> str:
    return next(line for line in lines if line.startswith(name))


def test_bars_are_as_high_as_their_values() -> None:
    charts = Charts(10, unicode=True)
    assert charts.line([0, 1, 2, 4]) == "▁▃▅█"
    assert [*charts.chart([1, 8, 16], 2)] == [" ▁█", "▂██"]
    assert [*charts.chart([], 3)] == []
    assert Charts(10, unicode=False).bar(0.5) == "##..  50%"


def test_lines_are_painted_over_and_none_is_left_at_the_end() -> None:
    err = StringIO()
    panel = Panel(err.write)
    panel.paint(["one", "two"])
    panel.paint(["three"])
    panel.stop()
    shown = err.getvalue()
    assert shown.count("\x1b[2A") == 1
    assert shown.endswith("\r\x1b[1A\x1b[J")


def test_a_note_makes_room_above_the_panel() -> None:
    err = StringIO()
    screen = Screen(LIVE, stdout=StringIO(), stderr=err)
    with screen.panel() as panel:
        assert panel is not None
        panel.paint(["how far it is"])
        screen.note("something")
    assert "\x1b[1A\x1b[J" + "note: something\n" in err.getvalue()


def test_it_shows_itself_again_and_again_though_no_answer_comes() -> None:
    err = StringIO()
    screen = Screen(LIVE, stdout=StringIO(), stderr=err)

    async def shown_twice() -> None:
        made = LiveView(screen, lambda: None)
        made.take(PLAN, RECORDER)
        async with made.shown():
            while err.getvalue().count("answered") < 2:
                await asyncio.sleep(live.PAINT_S / 10)

    asyncio.run(shown_twice())
    assert err.getvalue().endswith("\x1b[J")


def test_whoever_wants_quiet_or_plain_lines_sees_no_panel() -> None:
    for terminal, quiet in ((LIVE, True), (PIPED, False)):
        screen = Screen(terminal, stdout=StringIO(), stderr=StringIO(), quiet=quiet)
        with screen.panel() as panel:
            assert panel is None
