"""Learn routing from what your own models made of your prompts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli.arguments import PromptArgument, PromptFileOption
from harpoon_cli.cli.command import command, epilog, new_app
from harpoon_cli.cli.own_weights import append_outcome, install, outcomes_path, read_outcomes
from harpoon_cli.cli.prompts import read_prompt
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import UsageFault, WeightsRefused
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Tone
from harpoon_cli.render.words import UNKNOWN
from harpoon_cli.routing.calibrate import Report, calibrate
from harpoon_cli.routing.measures import Interval
from harpoon_cli.routing.outcomes import Outcome as ModelOutcome
from harpoon_cli.routing.outcomes import by_answers
from harpoon_cli.values import Struct, replace

app = new_app()


class Thumb(StrEnum):
    """What a person thought of an answer."""

    UP = "up"
    DOWN = "down"


class CalibrateData(Struct, frozen=True):
    """What the fit is worth; installed is the file that routing now uses, None where that is as it was."""

    report: Report
    installed: str | None


class RecordData(Struct, frozen=True):
    """The row that was added to the file of outcomes."""

    path: str
    small: float
    large: float


OutcomesArgument = Annotated[
    Path | None,
    Argument(
        metavar="OUTCOMES", help="A file of outcomes; what route record collected, where none is named."
    ),
]


@app.callback(
    epilog=epilog(
        [
            ("route record PROMPT --small down --large up", "what you thought of both models' answers"),
            ("route calibrate", "fit the weights on all that was recorded"),
        ]
    )
)
def route() -> None:
    """Learn routing from what your own models made of your prompts."""


@command(
    app,
    "route calibrate",
    data=CalibrateData,
    examples=[
        (
            "route calibrate outcomes.jsonl",
            "fit, judge on rows left out, and use the weights if they are better",
        ),
        ("route calibrate outcomes.jsonl --dry-run", "change nothing"),
    ],
)
async def calibrate_(
    session: Session,
    outcomes: OutcomesArgument = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Fit and judge; change nothing.")] = False,
) -> Outcome:
    """Fit the routing weights on outcomes of your own models; they are used if they prove better.

    A row is {"prompt": "…", "small": 0, "large": 1, "group": "…"}: results from 0 to 1; rows about the same
    question share a group. Weights that do not beat both a random order and the prompt's length are refused,
    kind of prompt by kind; the weights that come with harpoon then judge that kind.
    """
    path = outcomes or outcomes_path()
    rows = read_outcomes(path)
    try:
        weights, report = calibrate(rows, f"fitted on {path.name}", day=datetime.now(UTC).date().isoformat())
    except ValueError as cause:
        raise UsageFault(f"{path}: {cause}", hint="harpoon route record collects outcomes") from cause
    views: list[Facts | Table] = [_summary(report), _orders(report), _kinds(report)]
    if report.refused:
        refusal = WeightsRefused(f"the weights are not used: {report.refused}", hint="collect more outcomes")
        data = CalibrateData(report, None)
        return Outcome(data=data, views=views, errors=[refusal], exit=refusal.exit)
    installed = None if dry_run else str(install(weights))
    kinds = ", ".join(one.kind for one in report.kinds if one.refused is None)
    notes = [
        f"routing uses {installed} from now on for {kinds}; for other kinds, and without that file, "
        "the weights that come with harpoon"
    ]
    return Outcome(
        data=CalibrateData(report, installed),
        views=views,
        ids=[installed or ""],
        notes=notes if installed else [],
    )


@command(
    app,
    "route record",
    data=RecordData,
    examples=[
        ('route record "What is 2 + 2?" --small up --large up', "what you thought of both answers"),
        ('route record "2 + 2?" --small-answer 5 --large-answer 4 --expected 4', "by exact match"),
        ('route record "2 + 2?" --small-answer 4 --large-answer 4', "taking the large model to be right"),
    ],
)
async def record(
    session: Session,
    prompt: PromptArgument = None,
    file: PromptFileOption = None,
    small: Annotated[Thumb | None, Option("--small", help="The small model's answer: up or down.")] = None,
    large: Annotated[Thumb | None, Option("--large", help="The large model's answer: up or down.")] = None,
    small_answer: Annotated[
        str | None, Option("--small-answer", metavar="TEXT", help="What the small model answered.")
    ] = None,
    large_answer: Annotated[
        str | None, Option("--large-answer", metavar="TEXT", help="What the large model answered.")
    ] = None,
    expected: Annotated[
        str | None, Option("--expected", metavar="TEXT", help="The right answer, if there is one.")
    ] = None,
    group: Annotated[
        str | None, Option("--group", metavar="NAME", help="The same for prompts about the same question.")
    ] = None,
    to: Annotated[Path | None, Option("--to", metavar="FILE", help="Another file to add the row to.")] = None,
) -> Outcome:
    """Add to the outcomes that route calibrate fits on; nothing is sent anywhere.

    Give two thumbs, or two answers, which are compared with the expected one or else with each other.
    """
    text = await read_prompt(prompt, file, "route record")
    if small and large and small_answer is None and large_answer is None and expected is None:
        row = ModelOutcome(text, float(small is Thumb.UP), float(large is Thumb.UP), group or text)
    elif small_answer is not None and large_answer is not None and not small and not large:
        if expected is None and not large_answer.strip():
            raise UsageFault("the large model's answer is empty: it cannot be taken to be right")
        row = replace(by_answers(text, small_answer, large_answer, expected), group=group or text)
    else:
        raise UsageFault(
            "give either both thumbs or both answers",
            hint="--small up --large up, or --small-answer TEXT --large-answer TEXT [--expected TEXT]",
        )
    path = to or outcomes_path()
    append_outcome(path, row)
    return Outcome(
        data=RecordData(str(path), row.small, row.large),
        views=[
            Facts([("small model", _mark(row.small)), ("large model", _mark(row.large)), ("in", str(path))])
        ],
        ids=[str(path)],
    )


def _mark(result: float) -> Cell:
    return Cell("right", Tone.GOOD) if result else Cell("wrong", Tone.WARN)


def _summary(report: Report) -> Facts:
    error = report.calibration_error
    return Facts(
        [
            ("outcomes", f"{report.rows} about {report.groups} questions"),
            ("right", f"small model {report.small_right:.1%}, large model {report.large_right:.1%}"),
            ("ECE of P(small is right)", _told(error) if error else "not known"),
            ("beats a random order", f"in {report.sure:.0%} of draws of the rows"),
        ]
    )


def _orders(report: Report) -> Table:
    columns = [
        Column("order", "order"),
        Column("apgr", "APGR (95 %)", right=True),
        Column("cpt50", "CPT(50) %", right=True),
        Column("cpt80", "CPT(80) %", right=True),
    ]
    rows: list[Sequence[Cell | str]] = [
        [order.name, _told(ranking.apgr), _told(ranking.cpt50, 100), _told(ranking.cpt80, 100)]
        for order in report.orders
        for ranking in [order.ranking]
    ]
    return Table(columns, rows)


def _kinds(report: Report) -> Table:
    columns = [
        Column("kind", "kind of prompt"),
        Column("rows", "outcomes", right=True),
        Column("apgr", "APGR (95 %)", right=True),
        Column("used", "fitted weights"),
    ]
    rows: list[Sequence[Cell | str]] = [
        [
            one.kind,
            str(one.rows),
            _told(one.orders[0].ranking.apgr) if one.orders else UNKNOWN,
            Cell(f"refused: {one.refused}", Tone.WARN) if one.refused else Cell("better", Tone.GOOD),
        ]
        for one in report.kinds
    ]
    return Table(columns, rows)


def _told(interval: Interval, times: int = 1) -> str:
    digits = 3 if times == 1 else 1
    value, low, high = (f"{times * one:.{digits}f}" for one in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"
