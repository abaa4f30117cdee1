"""The one border between commands and the outside: signals in, errors out as sentences with an exit status.

The first INT, TERM or HUP cancels the command, which gives back what it holds; the second ends the process at
once. Every error that is not a `HarpoonError` is a bug, and is told as one, without a traceback.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb

from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.cli.session import Session, open_session, screen_of
from harpoon_cli.errors import Exit, HarpoonError, Interrupted, UsageFault
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.sink import ReaderGone

SIGNALS = {
    signal.SIGINT: Exit.INTERRUPT,
    signal.SIGTERM: Exit.TERMINATED,
    signal.SIGHUP: Exit.HANGUP,
}

Work = Callable[[Session], Awaitable[Outcome]]


def run_command(name: str, work: Work, options: CommonOptions, *, needs_settings: bool) -> int:
    """Do a command's work in a session of its own, print what came of it, and give the exit status."""
    try:
        session = open_session(name, options, needs_settings=needs_settings)
    except HarpoonError as error:
        return screen_of(options).finish(Outcome(errors=[error]), command=name, endpoint=None)
    outcome = asyncio.run(_guarded(session, work))
    return session.screen.finish(outcome, command=name, endpoint=session.endpoint_name)


async def _guarded(session: Session, work: Work) -> Outcome:
    with _Signals(session) as signals:
        outcome = await _outcome(session, work, signals)
        # What came of the work stands: a signal while its connections are closed changes nothing any more.
        signals.disarm()
        with suppress(Exception):
            await session.close()
        return outcome


async def _outcome(session: Session, work: Work, signals: _Signals) -> Outcome:
    try:
        return await work(session)
    except asyncio.CancelledError:
        return _failed(session, _interrupted(signals.first))
    except HarpoonError as error:
        return _failed(session, error)
    except ReaderGone:
        return Outcome(receipt=session.receipt, exit=Exit.FAILED)
    except Exception as error:  # the last line: a bug is told, not thrown at the user
        return _failed(session, _bug(error))


class _Signals:
    """Within the block, a first signal cancels this task and a second one ends the process."""

    def __init__(self, session: Session) -> None:
        self.first: signal.Signals | None = None
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def disarm(self) -> None:
        """From here on a first signal cancels nothing."""
        self._task = None

    def __enter__(self) -> _Signals:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                self._loop.add_signal_handler(number, self._arrived, number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    def _arrived(self, number: signal.Signals) -> None:
        if self.first is None:
            self.first = number
            if self._task is not None:
                self._task.cancel()
            return
        if self._session.may_hold_a_lease():
            os.write(2, b"\nerror: ended before the release was confirmed; a lease may still be billing\n")
            os.write(2, b"hint: harpoon release --overdue\n")
            os._exit(Exit.MAY_STILL_BILL)
        os._exit(SIGNALS[number])


def _failed(session: Session, error: HarpoonError) -> Outcome:
    return Outcome(errors=[error], receipt=session.receipt)


def _interrupted(number: signal.Signals | None) -> Interrupted:
    number = number or signal.SIGINT
    return Interrupted(f"stopped by {number.name}; nothing of this command is held", status=SIGNALS[number])


def _bug(error: Exception) -> HarpoonError:
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
