"""The one border between commands and the outside: errors become sentences with an exit status.

Every error that is not a `HarpoonError` is a bug, and is told as one, without a traceback.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb

from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.cli.session import Session, open_session, screen_of
from harpoon_cli.cli.signals import STATUSES, Signals
from harpoon_cli.errors import Exit, HarpoonError, Interrupted, UsageFault
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.sink import ReaderGone

Work = Callable[[Session], Awaitable[Outcome]]


def run_command(name: str, work: Work, options: CommonOptions, *, needs_settings: bool) -> int:
    """Do a command's work in a session of its own, print what came of it, and give the exit status."""
    try:
        session = open_session(name, options, needs_settings=needs_settings)
    except Exception as error:  # also a bug in reading the settings is told
        told = error if isinstance(error, HarpoonError) else bug(error)
        return screen_of(options).finish(Outcome(errors=[told]), command=name, endpoint=None)
    return asyncio.run(_guarded(session, work))


async def _guarded(session: Session, work: Work) -> int:
    with Signals(session) as signals:
        outcome = await _outcome(session, work, signals)
        # What came of the work stands, and is told: from here on a signal only ends the printing.
        signals.disarm()
        with suppress(Exception):
            await session.close()
        return session.screen.finish(outcome, command=session.command, endpoint=session.endpoint_told)


async def _outcome(session: Session, work: Work, signals: Signals) -> Outcome:
    try:
        return await work(session)
    except asyncio.CancelledError as cancel:
        return _failed(session, _interrupted(signals.first) if signals.first else bug(cancel))
    except HarpoonError as error:
        return _failed(session, error)
    except ReaderGone:
        if signals.first is not None:
            return _failed(session, _interrupted(signals.first))
        return Outcome(receipt=session.receipt, exit=Exit.FAILED)
    except Exception as error:  # the last line: a bug is told, not thrown at the user
        return _failed(session, bug(error))


def _failed(session: Session, error: HarpoonError) -> Outcome:
    return Outcome(errors=[error], receipt=session.receipt)


def _interrupted(number: signal.Signals) -> Interrupted:
    return Interrupted(f"stopped by {number.name}; nothing of this command is held", status=STATUSES[number])


def bug(error: BaseException) -> HarpoonError:
    """A mistake of ours, as an error that can be told."""
    frames = extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return HarpoonError(
        f"a bug in harpoon: {type(error).__name__} at {where}: {error}",
        hint="nothing is known to be wrong on your side; harpoon leases shows what is still held",
    )


def refuse_usage(fault: Exception, arguments: Sequence[str]) -> int:
    """Tell a command line that Typer does not understand, in our words and the asked format."""
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else "harpoon"
    message = fault.format_message() if hasattr(fault, "format_message") else "aborted"
    error = UsageFault(message.rstrip("."), hint=f"{path} --help")
    options = CommonOptions(output="json" if _asks_for_json(arguments) else None)
    return screen_of(options).finish(
        Outcome(errors=[error]), command=path.removeprefix("harpoon").strip() or "harpoon", endpoint=None
    )


def _asks_for_json(arguments: Sequence[str]) -> bool:
    joined = " ".join(arguments)
    return "-o json" in joined or "-ojson" in joined or "--output json" in joined or "--output=json" in joined
