"""What is found out about a terminal, from its streams and the environment."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator, Mapping
from fcntl import ioctl
from io import StringIO, TextIOWrapper
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from types import MappingProxyType
from typing import TextIO

import pytest

from harpoon_cli.render.outcome import Tone
from harpoon_cli.render.terminal import Channel, Colour, Terminal


@pytest.fixture
def tty() -> Iterator[TextIO]:
    """A real terminal of 57 columns and 13 lines."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 13, 57, 0, 0))
    with os.fdopen(slave, "w") as stream:
        yield stream
    os.close(master)


def detect(
    stream: TextIO | None,
    env: Mapping[str, str] = MappingProxyType({}),
    *,
    color: Colour = "auto",
    accessible: bool = False,
) -> Terminal:
    return Terminal.detect(env, None, stream, stream, color=color, accessible=accessible)


def test_a_terminal_is_live_coloured_and_of_its_own_size(tty: TextIO) -> None:
    terminal = detect(tty, {"TERM": "xterm"})
    assert terminal.out == Channel(is_tty=True, colour=True, live=True, encoding="utf-8")
    assert (terminal.width, terminal.height) == (57, 13)


def test_a_pipe_is_neither_live_nor_coloured_and_80_columns_wide() -> None:
    terminal = detect(StringIO(), {"TERM": "xterm"})
    assert terminal.out == Channel()
    assert terminal.width == 80


@pytest.mark.parametrize(
    ("env", "color", "coloured"),
    [
        ({"NO_COLOR": "1"}, "auto", False),
        ({"NO_COLOR": ""}, "auto", True),
        ({"NO_COLOR": "1"}, "always", True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", False),
        ({"FORCE_COLOR": "0"}, "auto", False),
        ({"FORCE_COLOR": "3"}, "never", False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True),
        ({"TERM": "dumb"}, "auto", False),
        ({"CLICOLOR": "0"}, "auto", False),
    ],
)
def test_a_terminal_has_colours_unless_told_otherwise(
    tty: TextIO, env: dict[str, str], color: Colour, coloured: bool
) -> None:
    assert detect(tty, env, color=color).out.colour is coloured


@pytest.mark.parametrize("name", ["FORCE_COLOR", "CLICOLOR_FORCE"])
def test_a_pipe_has_colours_where_they_are_forced(name: str) -> None:
    assert detect(StringIO(), {name: "1"}).out.colour


def test_neither_a_dumb_nor_an_accessible_terminal_is_live(tty: TextIO) -> None:
    assert not detect(tty, {"TERM": "dumb"}).err.live
    assert not detect(tty, accessible=True).err.live


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("33", 33),
        ("3", 20),
        ("0", 57),
        ("-5", 57),
        ("wide", 57),
        ("9" * 5000, 57),
        ("99999", 10_000),
        ("", 57),
    ],
)
def test_a_sensible_columns_decides_the_width(tty: TextIO, columns: str, width: int) -> None:
    assert detect(tty, {"COLUMNS": columns}).width == width


def test_a_resized_terminal_has_its_new_size_but_keeps_a_width_that_was_set(tty: TextIO) -> None:
    free, bound = detect(tty), detect(tty, {"COLUMNS": "66"})
    ioctl(tty.fileno(), TIOCSWINSZ, pack("HHHH", 9, 44, 0, 0))
    assert (free.resized(tty).width, free.resized(tty).height) == (44, 9)
    assert (bound.resized(tty).width, bound.resized(tty).height) == (66, 9)


def test_closed_streams_are_no_terminal(tmp_path: Path) -> None:
    closed = (tmp_path / "file").open("w")
    closed.close()
    assert detect(None).out == detect(closed).out == Channel()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_shown_as_an_escape(tmp_path: Path, encoding: str) -> None:
    with (tmp_path / "file").open("w", encoding=encoding) as stream:
        channel = detect(stream).out
        assert not channel.unicode
        assert channel.safe("日 ✓ \x1b") == "\\u65e5 \\u2713 \\x1b"
        assert channel.safe("ü") == ("ü" if encoding == "latin-1" else "\\xfc")


def test_an_encoding_nobody_knows_counts_as_ascii() -> None:
    class Odd(StringIO):
        encoding = "klingon"

    assert detect(Odd()).out.encoding == "ascii"


def test_utf_8_is_known_under_its_other_names(tmp_path: Path) -> None:
    with TextIOWrapper((tmp_path / "file").open("wb"), encoding="UTF8") as stream:
        assert detect(stream).out.unicode


def test_a_tone_is_a_colour_only_where_there_are_colours() -> None:
    assert Channel(colour=True).paint("full", Tone.WARN) == "\x1b[33mfull\x1b[0m"
    assert Channel(colour=True).paint("full", Tone.PLAIN) == "full"
    assert Channel().paint("full", Tone.WARN) == "full"
