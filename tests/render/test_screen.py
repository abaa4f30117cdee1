"""What a running command shows: sentences, steps, answers, snapshots, and the end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from itertools import count

import pytest

from harpoon_cli.domain import Receipt, Step
from harpoon_cli.errors import Exit, MayStillBill, NoCapacity, UsageFault
from harpoon_cli.render.outcome import Cell, Outcome, Text
from harpoon_cli.render.screen import Screen
from harpoon_cli.render.terminal import Channel, Terminal

from .samples import FACTS, LEASE, PIPED, POOLS, RECEIPT, on_terminal, show

LIVE = Terminal(out=Channel(is_tty=True, live=True), err=Channel(is_tty=True, live=True))
ACCESSIBLE = Terminal(out=Channel(is_tty=True), err=Channel(is_tty=True), accessible=True)


class Desk:
    """A screen with its two papers; its clock ticks half a second every time it is read."""

    def __init__(
        self, terminal: Terminal = PIPED, output: str = "auto", *, quiet: bool = False, verbosity: int = 0
    ) -> None:
        self.out, self.err = StringIO(), StringIO()
        ticks = (number / 2 for number in count())
        self.screen = Screen(
            terminal,
            stdout=self.out,
            stderr=self.err,
            output=output,
            quiet=quiet,
            verbosity=verbosity,
            clock=lambda: next(ticks),
        )

    @property
    def said(self) -> str:
        return self.err.getvalue()

    @property
    def answered(self) -> str:
        return self.out.getvalue()

    def finish(self, outcome: Outcome) -> int:
        return self.screen.finish(outcome, command="infer", endpoint="sandbox")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "spinner"] == []


def test_a_note_is_a_sentence_unless_quiet() -> None:
    loud, quiet = Desk(), Desk(quiet=True)
    for desk in (loud, quiet):
        desk.screen.note("no endpoint is configured\n: \x1b[2Jsandbox")
    assert (loud.said, quiet.said) == ("note: no endpoint is configured\\n: \\x1b[2Jsandbox\n", "")


@pytest.mark.parametrize(("verbosity", "said"), [(0, ""), (1, "one\n"), (2, "one\ntwo\n")])
def test_details_come_with_their_verbosity(verbosity: int, said: str) -> None:
    desk = Desk(verbosity=verbosity)
    desk.screen.detail("one")
    desk.screen.detail("two", level=2)
    assert desk.said == said


@pytest.mark.parametrize(
    ("terminal", "verbosity", "quiet", "said"),
    [
        (PIPED, 0, False, ""),
        (PIPED, 1, False, "✓ allocate  0.50 s\n"),
        (PIPED, 1, True, ""),
        (on_terminal(), 0, False, ""),
        (LIVE, 0, False, "✓ allocate  0.50 s\n"),
        (LIVE, 0, True, ""),
        (ACCESSIBLE, 0, False, "allocate ...\nallocate done in 0.50 s\n"),
        (ACCESSIBLE, 0, True, ""),
        (on_terminal(encoding="ascii"), 1, False, "+ allocate  0.50 s\n"),
    ],
)
def test_a_short_step_leaves_one_tidy_line_where_steps_are_shown(
    terminal: Terminal, verbosity: int, quiet: bool, said: str
) -> None:
    desk = Desk(terminal, verbosity=verbosity, quiet=quiet)
    with desk.screen.step("allocate"):
        pass
    assert desk.said == said


@pytest.mark.parametrize(
    ("terminal", "said"),
    [(LIVE, "✗ allocate  0.50 s\n"), (ACCESSIBLE, "allocate ...\nallocate failed after 0.50 s\n")],
)
def test_a_step_that_fails_says_so(terminal: Terminal, said: str) -> None:
    desk = Desk(terminal)
    with suppress(NoCapacity), desk.screen.step("allocate"):
        raise NoCapacity("full")
    assert desk.said == said


def test_steps_that_overlap_in_cancelled_tasks_all_end() -> None:
    desk = Desk(LIVE)

    async def work(name: str, started: asyncio.Event) -> None:
        with desk.screen.step(name):
            started.set()
            await asyncio.Event().wait()

    async def both() -> None:
        for end in ("first", "last"):
            begun = [asyncio.Event(), asyncio.Event()]
            tasks = [asyncio.create_task(work(f"step {place}", at)) for place, at in enumerate(begun)]
            for at in begun:
                await at.wait()
            for task in tasks if end == "first" else reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(both())
    assert desk.said.count("✗ step 0") == desk.said.count("✗ step 1") == 2


def test_an_answer_is_streamed_harmless_and_ends_with_one_newline() -> None:
    for last, end in (("sky.", "\n"), ("sky.\n", ""), ("sky.\n\n", "")):
        desk = Desk()
        for piece in ("", "The\x1b", "[2J [b]", "sky", "\r", last):
            desk.screen.answer(piece)
        desk.screen.answer_end()
        desk.screen.answer_end()
        assert desk.answered == "The\\x1b[2J [b]sky\\r" + last + end


@pytest.mark.parametrize(
    ("terminal", "output", "streamed"),
    [
        (PIPED, "auto", True),
        (LIVE, "auto", True),
        (PIPED, "table", True),
        (LIVE, "json", False),
        (PIPED, "tsv", False),
        (LIVE, "ids", False),
    ],
)
def test_only_people_and_plain_pipes_get_a_stream(terminal: Terminal, output: str, streamed: bool) -> None:
    desk = Desk(terminal, output)
    desk.screen.answer("x")
    assert desk.screen.streams is streamed
    assert desk.answered == ("x" if streamed else "")


def test_a_streamed_answer_is_not_printed_again() -> None:
    desk = Desk()
    desk.screen.answer("The sky")
    assert desk.finish(Outcome(views=(Text("The sky"), FACTS))) == 0
    assert desk.answered == f"The sky\nendpoint\tsandbox\nlease\t{LEASE}\nanswer\t42\n"


def test_an_answer_that_was_not_streamed_is_printed_at_the_end() -> None:
    desk = Desk(PIPED, "tsv")
    desk.screen.answer("The sky")
    desk.finish(Outcome(views=(Text("The sky"),)))
    assert desk.answered == "The sky\n"


def test_sentences_wait_until_an_answer_on_the_same_terminal_ends() -> None:
    paper = StringIO()
    screen = Screen(LIVE, stdout=paper, stderr=paper, clock=lambda: 0.0)
    with screen.step("infer"):
        screen.answer("The ")
        screen.note("the price changed")
        screen.answer("sky")
    screen.answer_end()
    assert paper.getvalue() == "The sky\nnote: the price changed\n✓ infer  0.00 s\n"


def test_sentences_do_not_wait_for_a_piped_answer() -> None:
    desk = Desk()
    desk.screen.answer("The ")
    desk.screen.note("now")
    assert desk.said == "note: now\n"


RECEIPT_SHOWN = f"""\
steps:    allocate 0.84 s, infer 2.31 s, release 0.12 s
lease:    {LEASE} in pool pool-l4
gpu:      NVIDIA L4, 2 GB, 5 TFLOPS
model:    Gemma-2B
tokens:   7 + 120
held:     3.27 s at $0.60/h quoted
cost:     $0.00054 estimated
released: yes
"""


def test_a_receipt_is_a_compact_block_on_stderr() -> None:
    facts = (("model", "Gemma-2B"), ("tokens", Cell("7 + 120")))
    shown = show(Outcome(views=(FACTS,), receipt=RECEIPT, receipt_facts=facts), on_terminal())
    assert shown.err == RECEIPT_SHOWN
    assert show(Outcome(receipt=RECEIPT), on_terminal(), quiet=True).err == ""
    assert show(Outcome(receipt=RECEIPT), on_terminal(), "json").err == ""


def test_a_receipt_at_40_columns_keeps_the_lease_whole() -> None:
    assert show(Outcome(receipt=RECEIPT), on_terminal(40)).err == (
        "steps:    allocate 0.84 s, infer 2.31 s,\n"
        "          release 0.12 s\n"
        "lease:\n"
        f"  {LEASE}\n"
        "  in pool pool-l4\n"
        "gpu:      NVIDIA L4, 2 GB, 5 TFLOPS\n"
        "held:     3.27 s at $0.60/h quoted\n"
        "cost:     $0.00054 estimated\n"
        "released: yes\n"
    )


@pytest.mark.parametrize(
    ("receipt", "said"),
    [
        (Receipt(steps=(Step("route", 0.01),)), "steps: route 10 ms\n"),
        (
            Receipt(steps=(), lease_id=RECEIPT.lease_id, kept=True),
            f"lease:    {LEASE}\nreleased: no, kept as asked\n",
        ),
        (Receipt(steps=(), reference=RECEIPT.reference), "lease:    ours-1\nreleased: not confirmed\n"),
    ],
)
def test_a_receipt_tells_only_what_is_known(receipt: Receipt, said: str) -> None:
    assert show(Outcome(receipt=receipt), on_terminal()).err == said


def test_an_error_is_a_sentence_and_a_way_out() -> None:
    outcome = Outcome(
        views=(FACTS,),
        notes=("one pool was skipped",),
        errors=(NoCapacity("pool \x1b[2J is full", hint="harpoon pools"), MayStillBill("unsure")),
        exit=Exit.MAY_STILL_BILL,
    )
    shown = show(outcome, PIPED)
    assert shown.err == (
        "note: one pool was skipped\nerror: pool \\x1b[2J is full\nhint: harpoon pools\n"
        "error: unsure\nhint: harpoon release --overdue\n"
    )
    assert shown.status == 9
    assert shown.out.startswith("endpoint\tsandbox\n")
    assert show(outcome, PIPED, quiet=True).err == shown.err.partition("\n")[2]


def test_an_error_in_json_is_in_the_envelope_and_a_sentence() -> None:
    shown = show(Outcome(notes=("kept",), errors=(NoCapacity("full", hint="wait"),)), PIPED, "json")
    assert json.loads(shown.out)["notes"] == ["kept"]
    assert json.loads(shown.out)["errors"][0]["message"] == "full"
    assert shown.err == "error: full\nhint: wait\n"
    assert shown.status == json.loads(shown.out)["exit"] == 6


def test_an_endless_message_is_told_in_part() -> None:
    said = show(Outcome(errors=(NoCapacity("x" * 10_000_000, hint="wait"),))).err
    assert said == f"error: {'x' * 1000} ... (9,999,000 more characters)\nhint: wait\n"


def test_nothing_to_say_prints_nothing() -> None:
    for terminal in (PIPED, on_terminal()):
        assert (show(Outcome(), terminal).out, show(Outcome(), terminal).err) == ("", "")


def test_an_unknown_format_is_refused_at_once() -> None:
    with pytest.raises(UsageFault):
        Desk(output="../table")


def repainted(desk: Desk, *outcomes: Outcome) -> str:
    for outcome in outcomes:
        desk.screen.repaint(outcome, command="pools", endpoint="sandbox")
    return desk.answered


def test_a_watch_on_a_terminal_paints_over_what_it_painted() -> None:
    desk = Desk(LIVE)
    shown = repainted(desk, Outcome(views=(Text("a\nb"),), notes=("old",)), Outcome(views=(Text("c"),)))
    assert shown == (
        "\x1b[?7l\r\x1b[2Ka\n\x1b[2Kb\n\x1b[2Knote: old\n\x1b[J\x1b[?7h"
        "\x1b[?7l\r\x1b[3A\x1b[2Kc\n\x1b[J\x1b[?7h"
    )
    assert desk.finish(Outcome(views=(Text("c"),))) == 0
    assert desk.answered == shown


def test_a_watch_never_paints_more_rows_than_the_terminal_has() -> None:
    terminal = Terminal(out=LIVE.out, err=LIVE.err, height=5)
    shown = repainted(Desk(terminal), Outcome(views=(Text("\n".join("abcdefg")),)))
    assert [line for line in "abcdefg" if f"\x1b[2K{line}\n" in shown] == list("abc")
    assert "\x1b[2K(4 more lines: make the terminal taller)\n\x1b[J" in shown


@pytest.mark.parametrize("terminal", [PIPED, ACCESSIBLE, on_terminal()])
def test_a_watch_elsewhere_sets_its_snapshots_apart(terminal: Terminal) -> None:
    desk = Desk(terminal)
    failing = Outcome(views=(Text("b"),), errors=(NoCapacity("full", hint="wait"),))
    assert repainted(desk, Outcome(views=(Text("a"),)), failing) == "a\n\nb\n"
    assert desk.said == "error: full\nhint: wait\n"


def test_a_watch_in_json_is_one_line_a_snapshot() -> None:
    desk = Desk(LIVE, "json")
    shown = repainted(desk, Outcome(views=(POOLS,), ids=("a",)), Outcome())
    assert [json.loads(line)["schema"] for line in shown.splitlines()] == ["harpoon/pools/v1"] * 2
    desk.finish(Outcome())
    assert desk.answered == shown
    assert desk.finish(Outcome(errors=(NoCapacity("full"),))) == 6
    assert json.loads(desk.answered.removeprefix(shown))["exit"] == 6


def test_a_sentence_said_on_the_way_is_among_the_notes_of_the_json() -> None:
    desk = Desk(output="json")
    desk.screen.note("this is the sandbox")
    desk.finish(Outcome(notes=["and this came at the end"]))
    assert json.loads(desk.answered)["notes"] == ["this is the sandbox", "and this came at the end"]
    assert desk.said == "note: this is the sandbox\n"
