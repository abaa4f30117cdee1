"""What a running command shows and how it ends: the only place that writes to stdout and stderr.

Data goes to stdout in the chosen format, everything else to stderr. It decides nothing about the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TextIO

from harpoon_cli.domain import Secret
from harpoon_cli.errors import Exit, HarpoonError, MayStillBill, release_command
from harpoon_cli.render import formats, words
from harpoon_cli.render.envelope import exit_of
from harpoon_cli.render.flow import Flow
from harpoon_cli.render.lines import error_lines, receipt_lines, sentence
from harpoon_cli.render.outcome import Outcome, Text, Tone
from harpoon_cli.render.panel import Panel
from harpoon_cli.render.printout import Printout
from harpoon_cli.render.sink import OutputFault, ReaderGone, Sink
from harpoon_cli.render.spinner import Spinner
from harpoon_cli.render.terminal import Channel, Terminal
from harpoon_cli.values import Struct, replace
from harpoon_cli.veil import Veil

_SIGNS = {True: ("✓", "✗", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"), False: ("+", "x", "|/-\\")}
"""Done, failed, and the spinner's glyphs, by whether the terminal shows every character."""

_LINE_WRAP_OFF, _LINE_WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_CLEAR_SCREEN, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[2J\x1b[H", "\x1b[2K", "\x1b[J"


class _Step(Struct, frozen=True, eq=False):
    name: str
    began_s: float


class Screen:
    """The two output streams of one command.

    output is a format's name, or "auto": a table on a terminal, TSV in a pipe. quiet leaves only data,
    errors and warnings. verbosity is the number of -v. A stream is None where it was closed before the start.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        stdout: TextIO | None,
        stderr: TextIO | None,
        output: str = "auto",
        quiet: bool = False,
        verbosity: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.terminal = terminal
        self.quiet = quiet
        self.verbosity = verbosity
        self.format = formats.known(output) if output != "auto" else self._fitting_format()
        self.streams = self.format == "table" or output == "auto"
        self._stdout = stdout
        self._out = Sink(stdout, "standard output")
        self._err = Sink(stderr, "standard error")
        self._clock = clock
        self._lock = RLock()
        self._steps: list[_Step] = []
        self._spinner: Spinner | Panel | None = None
        self._answered = False
        self._answer = Flow()
        self._answer_tail = ""
        self._held_back: list[str] = []
        self._said: list[str] = []
        self._rows_painted: int | None = None

    def hide(self, secret: Secret) -> None:
        """From here on nothing that is shown has this secret in it, not even where a platform quotes it."""
        self.terminal = self.terminal.veiled(Veil(secret))

    def stop_answering(self) -> None:
        """From a signal handler: no piece of an answer is written any more; one under way is broken off."""
        self._out.stopped = True
        if self._out.writing:
            raise ReaderGone("a signal says to stop")

    def _fitting_format(self) -> str:
        return "table" if self.terminal.out.is_tty else "tsv"

    # Sentences

    def note(self, text: str) -> None:
        """A sentence for a person, on stderr; not when quiet. The JSON envelope has it among its notes."""
        self._said.append(text)
        if not self.quiet:
            self._say(sentence("note", text, self.terminal.err, Tone.STRONG))

    def warn(self, text: str) -> None:
        """A sentence about what may cost money, on stderr, also when quiet; among the envelope's notes."""
        self._said.append(text)
        self._say(sentence("warning", text, self.terminal.err, Tone.WARN))

    def detail(self, text: str, level: int = 1) -> None:
        """A sentence for who asked for more, on stderr: level 1 with -v, level 2 with -vv."""
        if self.verbosity >= level:
            self._say(self.terminal.err.paint(self.terminal.err.safe(text), Tone.FAINT))

    def line(self, text: str) -> None:
        """A line for whoever follows a log, on stderr as it is; not when quiet, and not among the notes."""
        if not self.quiet:
            self._say(self.terminal.err.safe(text))

    def _say(self, line: str) -> None:
        """One line on stderr: above a spinner, and not into the middle of an answer on the same terminal."""
        with self._lock:
            if self._answer_tail and self.terminal.out.is_tty and self.terminal.err.is_tty:
                self._held_back.append(line)
            else:
                wiping = self._spinner.wiping() if self._spinner else ""
                self._tell(f"{wiping}{line}\n")

    def _tell(self, text: str) -> None:
        """Characters to stderr. Where they cannot be had there is nobody left to tell."""
        with suppress(ReaderGone, OutputFault), self._lock:
            self._err.write(text)

    # Steps

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step of the work: shown while it goes on where stderr is a terminal, and with its time after."""
        step = _Step(self.terminal.err.safe(name), self._clock())
        self._begin(step)
        done = False
        try:
            yield
            done = True
        finally:
            self._end(step, done=done)

    def _begin(self, step: _Step) -> None:
        self._steps.append(step)
        if self._speaks:
            self._say(f"{step.name} ...")
        self._spin()

    def _end(self, step: _Step, *, done: bool) -> None:
        if self._steps == [step]:
            self._rest()  # before the step is gone: the spinner shows it
        self._steps.remove(step)
        took = words.duration(self._clock() - step.began_s)
        if self._speaks:
            self._say(f"{step.name} {'done in' if done else 'failed after'} {took}")
        elif self._spins or (self.verbosity and not self.quiet):
            good, bad, _ = _SIGNS[self.terminal.err.unicode]
            sign, tone = (good, Tone.GOOD) if done else (bad, Tone.BAD)
            self._say(f"{self.terminal.err.paint(sign, tone)} {step.name}  {took}")

    @property
    def _spins(self) -> bool:
        return self.terminal.err.live and not self.quiet

    @property
    def _speaks(self) -> bool:
        return self.terminal.accessible and self.terminal.err.is_tty and not self.quiet

    def _spin(self) -> None:
        if self._spins and self._steps and self._spinner is None and not self._answer_tail:
            _, _, glyphs = _SIGNS[self.terminal.err.unicode]
            spinner = Spinner(self._progress, self._tell, self._lock, glyphs=glyphs)
            with suppress(RuntimeError):  # no thread can be had: the command goes on without it
                spinner.start()
                self._spinner = spinner

    def _rest(self) -> None:
        if self._spinner:
            self._spinner.stop()
            self._spinner = None

    def _progress(self) -> str:
        """The newest step and its time, inside one line of the terminal."""
        step = self._steps[-1]
        return f"{step.name}  {words.duration(self._clock() - step.began_s)}"[: self.terminal.width - 3]

    @contextmanager
    def panel(self) -> Iterator[Panel | None]:
        """Lines on stderr to be painted over for the length of the block; None where that cannot be done."""
        if not self._spins:
            yield None
            return
        self._rest()
        self._spinner = panel = Panel(self._tell)
        try:
            yield panel
        finally:
            self._rest()
            self._spin()

    # An answer, as it arrives

    def answer(self, text: str) -> None:
        """A piece of a model's answer, to stdout at once; nothing in a format that is not streamed.

        `ReaderGone` where nobody reads any more, `OutputFault` where it cannot be written.
        """
        if not self.streams or not text:
            return
        self._rest()
        self._answered = True
        self._answer_tail = text[-1]
        self._out.write(self._answer.take(text, self.terminal.out))

    def answer_end(self) -> None:
        """End an answer: on a line of its own whatever its last character was. Raises as `answer` does."""
        tail, self._answer_tail = self._answer_tail, ""
        try:
            if tail:
                end = "" if tail == "\n" else "\n"
                self._out.write(self._answer.rest(self.terminal.out) + end)
        finally:
            held_back, self._held_back = self._held_back, []
            for line in held_back:
                self._say(line)
            self._spin()

    def show(self, text: str) -> None:
        """Whole lines of a result, to stdout at once, while the command goes on. Raises as `answer` does."""
        self._rest()
        self._out.write(self.terminal.out.document(text))

    # The end

    def finish(self, outcome: Outcome, *, command: str, endpoint: str | None) -> int:
        """Print an outcome and give the exit status; the last call of a command, and it never raises.

        A text that `answer` has shown, and data that `repaint` has shown, are not printed again. Where stdout
        cannot be written a status of 0 becomes 1: quietly where nobody reads any more, else with a sentence.
        """
        status, faults = exit_of(outcome), list(outcome.errors)
        self._out.stopped = False
        untold, outcome = outcome.notes, replace(outcome, notes=[*self._said, *outcome.notes])
        try:
            self.answer_end()
            self._rest()
            self._out.write(self._last_words(outcome, command, endpoint))
        except (ReaderGone, OutputFault) as fault:
            status = status or Exit.FAILED
            faults += [fault] if isinstance(fault, OutputFault) else []
            if untold_lease := _kept_lease(outcome):
                status = Exit.MAY_STILL_BILL
                faults.append(untold_lease)
        if self.format != "json" and not self.quiet:
            self._show_aside(replace(outcome, notes=untold))
        self._say_all(error_lines(faults, self.terminal.err))
        return int(status)

    def _last_words(self, outcome: Outcome, command: str, endpoint: str | None) -> str:
        if self._rows_painted is not None and (self.format != "json" or exit_of(outcome) is Exit.DONE):
            return ""
        if self._answered:
            views = [view for view in outcome.views if not isinstance(view, Text)]
            outcome = replace(outcome, views=views)
        one_line = self._rows_painted is not None
        return formats.load(self.format)(Printout(outcome, command, endpoint, self.terminal, one_line))

    def _show_aside(self, outcome: Outcome) -> None:
        for note in outcome.notes:
            self.note(note)
        if outcome.receipt:
            facts, channel = outcome.receipt_facts, self.terminal.err
            self._say_all(receipt_lines(outcome.receipt, facts, self.terminal.width, channel))

    def _say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(line)

    # Snapshots, for --watch

    def repaint(self, outcome: Outcome, *, command: str, endpoint: str | None) -> None:
        """Show an outcome in place of the one before; raises as `answer` does.

        On a terminal a table is painted over, with its notes and errors. Elsewhere snapshots follow one
        another, set apart by an empty line; in JSON each is one line (JSON Lines).
        """
        terminal = self.terminal.resized(self._stdout)
        text = formats.load(self.format)(Printout(outcome, command, endpoint, terminal, one_line=True))
        if self.format == "table" and terminal.out.live:
            self._paint_over([*text.rstrip("\n").split("\n"), *self._asides(outcome, terminal.out)], terminal)
            return
        apart = "\n" if self._rows_painted is not None and self.format != "json" else ""
        self._rows_painted = 0
        self._out.write(apart + text)
        self._say_all(self._asides(outcome, terminal.err))

    def _asides(self, outcome: Outcome, channel: Channel) -> Iterator[str]:
        notes = () if self.quiet else outcome.notes
        yield from (sentence("note", note, channel, Tone.STRONG) for note in notes)
        yield from error_lines(outcome.errors, channel)

    def _paint_over(self, lines: list[str], terminal: Terminal) -> None:
        """All in one write and line by line, so that nothing flickers.

        Lines do not wrap meanwhile, so one line is one row; what is below the last row of the terminal could
        not be painted over, so it is counted instead.
        """
        room = terminal.height - 1
        if len(lines) > room:
            lines[room - 1 :] = [f"({len(lines) - room + 1} more lines: make the terminal taller)"]
        start = f"\x1b[{self._rows_painted}A" if self._rows_painted else ""
        if terminal != self.terminal:
            self.terminal, start = terminal, _CLEAR_SCREEN
        body = "".join(f"{_CLEAR_LINE}{line}\n" for line in lines)
        self._rows_painted = len(lines)
        self._out.write(f"{_LINE_WRAP_OFF}\r{start}{body}{_CLEAR_BELOW}{_LINE_WRAP_ON}")


def _kept_lease(outcome: Outcome) -> HarpoonError | None:
    """What must be told in another way where the result that names a kept lease could not be written."""
    receipt = outcome.receipt
    if receipt is None or not receipt.kept or receipt.lease_id is None:
        return None
    return MayStillBill(
        f"the result that names lease {receipt.lease_id} could not be written; it is given back",
        hint=release_command(receipt.lease_id),
    )
