"""What is known about the terminal, decided once from its streams and the environment; it writes nothing."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from typing import Literal, TextIO

from harpoon_cli.render.outcome import Cell, Tone
from harpoon_cli.render.safe import visible
from harpoon_cli.values import Struct, replace
from harpoon_cli.veil import NO_VEIL, Veil

Colour = Literal["auto", "always", "never"]

_DEFAULT_SIZE = (80, 24)
_NARROWEST, _WIDEST = 20, 10_000

_SGR = {Tone.GOOD: "32", Tone.WARN: "33", Tone.BAD: "31", Tone.FAINT: "2", Tone.STRONG: "1"}


class Channel(Struct, frozen=True):
    """What one output stream can show.

    live means that a line may be rewritten in place. encoding is Python's name of it. veil has the secrets
    that are taken out of every text.
    """

    is_tty: bool = False
    colour: bool = False
    live: bool = False
    encoding: str = "utf-8"
    veil: Veil = NO_VEIL

    @property
    def unicode(self) -> bool:
        """Whether every character can be written."""
        return self.encoding.startswith("utf")

    def safe(self, text: str, *, newlines: bool = False) -> str:
        """`text` without secrets, made harmless, with what the encoding lacks shown as an escape."""
        return self.encodable(visible(self.veil.over(text), newlines=newlines))

    def encodable(self, text: str) -> str:
        """`text` with the characters that the encoding lacks shown as escapes."""
        if self.unicode or text.isascii():
            return text
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def document(self, text: str) -> str:
        """A harmless text of many lines that ends with a newline, unless it is empty."""
        shown = self.safe(text, newlines=True)
        return shown if not shown or shown.endswith("\n") else f"{shown}\n"

    def paint(self, text: str, tone: Tone) -> str:
        """Harmless `text` in the colour of its tone, where there are colours."""
        sgr = _SGR.get(tone) if self.colour and text else None
        return f"\x1b[{sgr}m{text}\x1b[0m" if sgr else text

    def cell(self, cell: Cell | str) -> Cell:
        """A view's value, harmless and on one line."""
        value = Cell(cell) if isinstance(cell, str) else cell
        return Cell(self.safe(value.text), value.tone)


class Terminal(Struct, frozen=True):
    """Both output streams and the room between the edges, in columns and lines.

    width_is_set means that the user named the width, so that a resized terminal does not change it.
    accessible asks for plain lines one after another: no table, no spinner, nothing painted over.
    """

    out: Channel = Channel()
    err: Channel = Channel()
    input_is_tty: bool = False
    width: int = _DEFAULT_SIZE[0]
    height: int = _DEFAULT_SIZE[1]
    width_is_set: bool = False
    accessible: bool = False

    @classmethod
    def detect(
        cls,
        environ: Mapping[str, str],
        stdin: TextIO | None,
        stdout: TextIO | None,
        stderr: TextIO | None,
        *,
        color: Colour = "auto",
        accessible: bool = False,
    ) -> Terminal:
        """The facts about these streams. A stream is None where it was closed before the start.

        For colours the first that says something wins: color, NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE,
        TERM=dumb, CLICOLOR=0, and then whether the stream is a terminal. The width is COLUMNS, or the
        terminal's, or 80.
        """
        wished = _positive(environ.get("COLUMNS"))
        width, height = _size(stdout) or _size(stderr) or _DEFAULT_SIZE
        return cls(
            out=_channel(environ, stdout, color, accessible),
            err=_channel(environ, stderr, color, accessible),
            input_is_tty=_is_tty(stdin),
            width=_bounded(wished or width),
            height=height,
            width_is_set=wished is not None,
            accessible=accessible,
        )

    def veiled(self, veil: Veil) -> Terminal:
        """The same terminal, without those secrets in anything it shows."""
        return replace(self, out=replace(self.out, veil=veil), err=replace(self.err, veil=veil))

    def resized(self, stdout: TextIO | None) -> Terminal:
        """The same terminal with the size that stdout has now."""
        width, height = _size(stdout) or (self.width, self.height)
        return replace(self, width=self.width if self.width_is_set else _bounded(width), height=height)


def _bounded(width: int) -> int:
    return min(max(width, _NARROWEST), _WIDEST)


def _size(stream: TextIO | None) -> tuple[int, int] | None:
    if stream is None or not _is_tty(stream):
        return None
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (columns, lines) if columns > 0 and lines > 0 else None


def _positive(text: str | None) -> int | None:
    if not text or not text.isdecimal() or len(text) > len(str(_WIDEST)):
        return None
    return int(text) or None


def _channel(environ: Mapping[str, str], stream: TextIO | None, color: Colour, accessible: bool) -> Channel:
    is_tty = _is_tty(stream)
    return Channel(
        is_tty=is_tty,
        colour=_colour(environ, color, is_tty),
        live=is_tty and not accessible and not _is_dumb(environ),
        encoding=_encoding(stream),
    )


def _is_tty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed in the meantime
        return False


def _is_dumb(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "").lower() in ("dumb", "unknown")


def _colour(environ: Mapping[str, str], color: Colour, is_tty: bool) -> bool:
    if color != "auto":
        return color == "always"
    if environ.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if wish := environ.get(name):
            return wish.lower() not in ("0", "false", "no")
    return is_tty and not _is_dumb(environ) and environ.get("CLICOLOR") != "0"


def _encoding(stream: TextIO | None) -> str:
    try:
        return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name
    except LookupError:
        return "ascii"
