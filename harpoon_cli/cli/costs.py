"""`leases --cost`: what every lease since a moment came to, and their exact sum, from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from typer import BadParameter

from harpoon_cli.cli.lease_rows import LeaseRow, row_of_record
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import LeaseRecord, LeaseState
from harpoon_cli.leases.abandoned import KEPT_FOR
from harpoon_cli.leases.lifecycle import utc_now
from harpoon_cli.leases.receipts import may_have_cost
from harpoon_cli.settings.durations import parse_duration

ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
"""Before any lease."""


def moment(text: str) -> datetime:
    """A point in time from 2026-11-01 or 2026-11-01T06:00 (UTC where no zone is named), 7d or 12h ago."""
    try:
        return utc_now() - timedelta(seconds=parse_duration(_with_unit(text)))
    except (ValueError, OverflowError):
        pass
    try:
        named = datetime.fromisoformat(_with_unit(text))
        return named.replace(tzinfo=UTC) if named.tzinfo is None else named.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise BadParameter(f"{text!r} is no point in time; write 2026-11-01, 7d or 12h") from cause


def _with_unit(text: str) -> str:
    """Digits alone could be seconds, a year or a day: they are none of these."""
    if text.strip().isdigit():
        raise ValueError("no unit")
    return text


def records_since(session: Session, since: datetime) -> tuple[LeaseRecord, ...]:
    """Those that were asked for at this platform at or after `since`, and may have cost something."""
    return tuple(
        one for one in session.ledger.since(since) if one.endpoint == session.account and may_have_cost(one)
    )


def priced_apart(records: Sequence[LeaseRecord], now: datetime) -> tuple[list[LeaseRow], list[LeaseRow]]:
    """Rows whose cost is known, and rows whose cost is not."""
    rows = [row_of_record(one, None, now) for one in records]
    return [one for one in rows if one.cost is not None], [one for one in rows if one.cost is None]


def doubts(session: Session, since: datetime, rows: Sequence[LeaseRow], unknown: int) -> list[str]:
    """What the total leaves out, one sentence each."""
    running = sum(one.state is not LeaseState.RELEASED for one in rows)
    believed = sum(one.believed_gone for one in rows)
    forgotten = session.ledger.forgotten_before() or ALWAYS
    others = sorted({one.endpoint for one in session.ledger.since(since)} - {session.account})
    told = (
        (running, f"{running} of them {'is' if running == 1 else 'are'} not over: this is the cost so far"),
        (believed, f"{believed} of them ended by a person's word: that is the most they can have cost"),
        (unknown, f"the total lacks {unknown} whose cost is not known, which is not nothing"),
        (
            since < forgotten,
            f"leases that were asked for before {forgotten:%Y-%m-%d} may be left out: the ledger keeps what "
            f"is over for {KEPT_FOR.days} days",
        ),
        (
            others,
            f"leases at {', '.join(others)} are not counted; reach them with that URL and key, or --profile",
        ),
    )
    return [sentence for there, sentence in told if there]
