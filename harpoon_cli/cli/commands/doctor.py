"""Check everything between this machine and a working lease, and say how to mend it."""

from __future__ import annotations

from collections.abc import Sequence

from harpoon_cli.cli.checkup import Finding, Verdict, check_up
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.session import Session
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()

TONES = {
    Verdict.OK: Tone.GOOD,
    Verdict.WARNING: Tone.WARN,
    Verdict.FAILED: Tone.BAD,
    Verdict.SKIPPED: Tone.FAINT,
}


class FindingData(Struct, frozen=True):
    """One check: its verdict, what was found, and what mends it (None where nothing is wrong)."""

    check: str
    verdict: Verdict
    found: str
    fix: str | None


class DoctorData(Struct, frozen=True):
    """Every check, in the order in which a request needs them."""

    findings: tuple[FindingData, ...]


@command(
    app,
    "doctor",
    data=DoctorData,
    examples=[
        ("doctor", "all checks; reads only, leases nothing"),
        ("doctor --live -o json", "in CI, before anything else: fails without a real endpoint"),
    ],
    needs_settings=False,
)
async def doctor(session: Session) -> Outcome:
    """Check configuration, key, network, platform, pools, ledger and files; nothing is leased or changed.

    The exit status is that of the first check that failed; warnings do not count.
    """
    findings = [finding async for finding in check_up(session)]
    columns = [
        Column("check", "check"),
        Column("verdict", "verdict"),
        Column("found", "found"),
        Column("fix", "to mend it"),
    ]
    rows: list[Sequence[Cell | str]] = [
        [one.check, Cell(one.verdict, TONES[one.verdict]), one.found, one.fix or "-"] for one in findings
    ]
    return Outcome(
        data=DoctorData(tuple(_data(one) for one in findings)),
        views=[Table(columns, rows)],
        ids=[one.check for one in findings if one.verdict is Verdict.FAILED],
        errors=[one.error for one in findings if one.error is not None],
    )


def _data(finding: Finding) -> FindingData:
    return FindingData(finding.check, finding.verdict, finding.found, finding.fix)
