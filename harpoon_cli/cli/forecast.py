"""What routing would do with many prompts: which share goes where, and at what cost; nothing is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path

from harpoon_cli.cli.prompts import checked
from harpoon_cli.domain import Money
from harpoon_cli.errors import HarpoonError, UsageFault
from harpoon_cli.pricing import totals
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Facts, Table, Tone
from harpoon_cli.routing.decision import CandidateResult, Decision
from harpoon_cli.values import Struct

LARGEST_BATCH = 256 * 1024 * 1024

_FORM = 'one a line, or {"prompt": "…"} a line'


class Foretold(Struct, frozen=True):
    """One prompt of the batch: its line in the file, its model and what that costs at most.

    model is None where no model can take it, and trouble says why.
    """

    line: int
    model: str | None
    margin: float | None
    familiar: bool | None
    cost: Money | None
    trouble: str | None


class Part(Struct, frozen=True):
    """What goes to one model: prompts, their share (0 to 1) of all, and the most that they cost.

    tokens_cost is for the tokens, lease_cost for the predicted time of leases; if_all is what the tokens of
    the whole batch would cost with this model alone. Amounts are estimates; None is not known.
    """

    model: str
    prompts: int
    share: float
    tokens_cost: Money | None
    lease_cost: Money | None
    if_all: Money | None


class Forecast(Struct, frozen=True):
    """A batch of prompts, decided one by one. tokens_cost is the sum over its parts, None where one lacks."""

    prompts: int
    unanswered: int
    unfamiliar: int
    tokens_cost: Money | None
    parts: tuple[Part, ...]
    rows: tuple[Foretold, ...]


def read_batch(path: Path) -> tuple[tuple[int, str], ...]:
    """The prompts of a file with their lines: {"prompt": "…"} each (JSON Lines), or one prompt a line."""
    try:
        # What a pipe or a device gives has no size that could be asked for first.
        with path.open("rb") as raw:
            content = raw.read(LARGEST_BATCH + 1)
        if len(content) > LARGEST_BATCH:
            raise UsageFault(f"{path} is larger than {LARGEST_BATCH // 2**20} MB", hint="give a part of it")
        with TextIOWrapper(BytesIO(content), encoding="utf-8-sig") as file:
            lines = [(number, line.strip()) for number, line in enumerate(file, start=1) if line.strip()]
    except OSError as cause:
        raise UsageFault(f"the prompts {path} cannot be read: {cause.strerror or cause}") from cause
    except UnicodeDecodeError as cause:
        raise UsageFault(f"{path} is not UTF-8 text", hint="convert it: iconv -t UTF-8 FILE") from cause
    if not lines:
        raise UsageFault(f"{path} holds no prompt", hint=_FORM)
    if path.suffix == ".jsonl" or lines[0][1].startswith('{"'):
        lines = [(number, _prompt(line, f"{path} line {number}")) for number, line in lines]
    return tuple(
        (number, checked(text, _FORM, f"{path} line {number}: the prompt")) for number, text in lines
    )


def _prompt(line: str, place: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise UsageFault(f"{place} is not JSON", hint=_FORM) from cause
    text = row.get("prompt") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise UsageFault(f"{place}: lacks a usable 'prompt'", hint=_FORM)
    return text


def forecast(prompts: Sequence[tuple[int, str]], decided: Callable[[str], Decision]) -> Forecast:
    """What becomes of each prompt by `decided`, which raises where no model can take one."""
    rows: list[Foretold] = []
    decisions: list[Decision] = []
    for line, text in prompts:
        try:
            decision = decided(text)
        except HarpoonError as trouble:
            rows.append(Foretold(line, None, None, None, None, trouble.message))
            continue
        decisions.append(decision)
        cost = _chosen(decision).cost
        familiar = decision.score.familiarity.familiar
        money = cost.money if cost else None
        rows.append(Foretold(line, decision.model, decision.margin, familiar, money, None))
    parts = tuple(_parts(decisions, len(rows)))
    return Forecast(
        prompts=len(rows),
        unanswered=len(rows) - len(decisions),
        unfamiliar=sum(row.familiar is False for row in rows),
        tokens_cost=_sum([part.tokens_cost for part in parts if part.prompts]),
        parts=parts,
        rows=tuple(rows),
    )


def _parts(decisions: Sequence[Decision], prompts: int) -> Iterator[Part]:
    names = [one.model for one in decisions[0].candidates] if decisions else []
    for name in names:
        mine = [decision for decision in decisions if decision.model == name]
        everyone = [_result(decision, name) for decision in decisions]
        usable = any(result.passed for result in everyone)
        if mine or usable:
            yield Part(
                model=name,
                prompts=len(mine),
                share=len(mine) / prompts,
                tokens_cost=_tokens([_chosen(decision) for decision in mine]),
                lease_cost=_sum([_chosen(decision).lease_cost for decision in mine]),
                if_all=_tokens(everyone),
            )


def _result(decision: Decision, name: str) -> CandidateResult:
    return next(one for one in decision.candidates if one.model == name)


def _chosen(decision: Decision) -> CandidateResult:
    return _result(decision, decision.model)


def _tokens(results: Sequence[CandidateResult]) -> Money | None:
    return _sum([one.cost.money if one.cost else None for one in results])


def _sum(amounts: Sequence[Money | None]) -> Money | None:
    """None where one is not known, there is none, or they are in several currencies."""
    known = [amount for amount in amounts if amount is not None]
    found = totals(known)
    return found[0] if len(known) == len(amounts) and len(found) == 1 else None


def forecast_views(found: Forecast) -> list[Table | Facts]:
    """The forecast as people read it."""
    facts: list[tuple[str, Cell | str]] = [
        ("prompts", str(found.prompts)),
        ("cost of the tokens", f"at most {words.money(found.tokens_cost)}"),
        ("unfamiliar", f"{found.unfamiliar}: decided by the weights set by hand"),
    ]
    if found.unanswered:
        first = next(row for row in found.rows if row.trouble)
        trouble = f"{found.unanswered}; the first, line {first.line}: {first.trouble}"
        facts.append(("unanswered", Cell(trouble, Tone.WARN)))
    columns = [
        Column("model", "model"),
        Column("prompts", "prompts", right=True),
        Column("share", "share", right=True),
        Column("tokens_cost", "tokens cost", right=True),
        Column("lease_cost", "leases cost", right=True),
        Column("if_all", "all tokens with it", right=True),
    ]
    rows: list[list[Cell | str]] = [
        [
            Cell(part.model, Tone.STRONG),
            str(part.prompts),
            f"{part.share:.1%}",
            words.money(part.tokens_cost),
            words.money(part.lease_cost),
            words.money(part.if_all),
        ]
        for part in found.parts
    ]
    return [Facts(facts), Table(columns, rows, empty="no model can take any of these prompts")]
