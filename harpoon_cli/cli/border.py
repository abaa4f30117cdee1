"""The one border between commands and the outside: errors become sentences with an exit status.

Every error that is not a `HarpoonError` is a bug, and is told as one, without a traceback.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from traceback import extract_tb

from harpoon_cli import early
from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.cli.session import Session, open_session, screen_of
from harpoon_cli.cli.signals import STATUSES, Signals, last_words
from harpoon_cli.errors import Exit, HarpoonError, Interrupted, UsageFault
from harpoon_cli.render.envelope import exit_of
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.sink import ReaderGone
from harpoon_cli.values import replace

NOT_KEPT = (
    b"error: the lease cannot be written down as kept, and is given back\n"
    b"hint: check the disk of the state directory; harpoon leases\n"
)

Work = Callable[[Session], Awaitable[Outcome]]


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose end waits for no thread: one that resolves a name may take a minute."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass


def run_command(name: str, work: Work, options: CommonOptions, *, needs_settings: bool) -> int:
    """Do a command's work in a session of its own, print what came of it, and give the exit status."""
    try:
        session = open_session(name, options, needs_settings=needs_settings)
        runner = asyncio.Runner(loop_factory=_Loop)
        runner.get_loop()
    except Exception as error:  # also a bug in reading the settings is told
        errors = [told(error)]
        _help_with(errors, name)
        return screen_of(options).finish(Outcome(errors=errors), command=name, endpoint=None)
    with runner:
        return runner.run(_guarded(session, work))


async def _guarded(session: Session, work: Work) -> int:
    asyncio.get_running_loop().set_exception_handler(partial(_in_the_background, session))
    with Signals(session) as signals:
        outcome = await _outcome(session, work, signals)
        _help_with(outcome.errors, session.command)
        # What came of the work stands, and is told: from here on a signal only ends the printing.
        signals.disarm()
        with suppress(Exception):
            await session.close()
        status = session.screen.finish(outcome, command=session.command, endpoint=session.endpoint_told)
        kept = False
        with suppress(Exception):
            kept = session.let_go(told=status == exit_of(outcome))
        if not kept:
            last_words(NOT_KEPT)
            status = Exit.STORAGE
        if signals.first is not None and status == Exit.FAILED and exit_of(outcome) is Exit.DONE:
            status = int(STATUSES[signals.first])  # it broke off the printing, and nothing else is wrong
        early.stand_by(status)
        return status


def _in_the_background(
    session: Session, _loop: asyncio.AbstractEventLoop, context: dict[str, object]
) -> None:
    """What went wrong where nobody waits for it; asyncio would log it with a traceback."""
    session.screen.detail(f"in the background: {context.get('exception') or context.get('message')}", level=2)


async def _outcome(session: Session, work: Work, signals: Signals) -> Outcome:
    try:
        return await work(session)
    except asyncio.CancelledError as cancel:
        return _failed(session, _interrupted(signals.first) if signals.first else bug(cancel))
    except ReaderGone:
        if signals.first is not None:
            return _failed(session, _interrupted(signals.first))
        return Outcome(receipt=session.receipt, exit=Exit.FAILED)
    except Exception as error:  # the last line: a bug is told, not thrown at the user
        return _failed(session, told(error))


def _help_with(errors: Sequence[HarpoonError], command: str) -> None:
    """Where nothing better is known than how options are listed, have it be those of this command."""
    for error in errors:
        if error.hint == UsageFault.way_out:
            error.hint = f"harpoon {command} --help"


def _failed(session: Session, error: HarpoonError) -> Outcome:
    return replace(session.so_far or Outcome(), errors=[error], receipt=session.receipt)


def _interrupted(number: signal.Signals) -> Interrupted:
    return Interrupted(f"stopped by {number.name}; nothing of this command is held", status=STATUSES[number])


def told(error: Exception) -> HarpoonError:
    """Any error, as one that can be told: what the machine lacks is said as such, anything else is a bug."""
    match error:
        case HarpoonError():
            return error
        case MemoryError():
            return HarpoonError("there is not enough memory", hint="free some, or allow more: ulimit -a")
        case UnicodeEncodeError():
            return UsageFault("a value that was given is not UTF-8 text", hint="set the terminal to UTF-8")
        case OSError(strerror=str(reason)):
            where = f": {error.filename}" if error.filename is not None else ""
            return HarpoonError(f"this machine refuses it: {reason}{where}", hint="harpoon doctor")
    return bug(error)


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
