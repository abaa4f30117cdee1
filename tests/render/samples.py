"""Outcomes to show, plain and hostile, and the streams to show them on; it asserts nothing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fcntl import ioctl
from io import StringIO
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from types import MappingProxyType

from harpoon_cli.domain import (
    Gpu,
    LeaseId,
    Money,
    Origin,
    PoolId,
    Price,
    Receipt,
    Reference,
    Secret,
    Step,
)
from harpoon_cli.errors import Exit, NoCapacity
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Text, Tone
from harpoon_cli.render.screen import Screen
from harpoon_cli.render.terminal import Channel, Terminal
from harpoon_cli.values import Struct

HOSTILE = (
    "\x1b]52;c;cHduZWQ=\x07\x9b2J\x7f\r[bold red]x[/] :smile: \u202eevil\u2066 \u200b\U000e0041\ud800 \\x1b"
)
HOSTILE_SHOWN = (
    "\\x1b]52;c;cHduZWQ=\\x07\\x9b2J\\x7f\\r[bold red]x[/] :smile: "
    "\\u202eevil\\u2066 \\u200b\\U000e0041\\ud800 \\x1b"
)

LEASE = "0193f2c8-6a1e-7cc0-9f51-123456789012"


class Kind(StrEnum):
    SMALL = "small"


class Row(Struct, frozen=True):
    id: PoolId
    price: Decimal | None
    at: datetime | None
    load: float | None
    kind: Kind
    tags: Mapping[str, str]


class Rows(Struct, frozen=True):
    rows: tuple[Row, ...]
    key: Secret


RECEIPT = Receipt(
    steps=(Step("allocate", 0.84), Step("infer", 2.31), Step("release", 0.12)),
    lease_id=LeaseId(LEASE),
    reference=Reference("ours-1"),
    pool_id=PoolId("pool-l4"),
    gpu=Gpu("NVIDIA L4", 2048, 5.0),
    price=Price(Decimal("0.6"), "USD"),
    seconds_held=3.27,
    cost=Money(Decimal("0.000545"), "USD", Origin.ESTIMATED),
    released=True,
)

POOLS = Table(
    columns=(
        Column("pool_id", "Pool"),
        Column("gpu", "GPU"),
        Column("slices_free", "Free", right=True),
        Column("usd_per_hour", "Price", right=True),
        Column("status", "Status"),
    ),
    rows=(
        ("pool-l4", "NVIDIA L4", "3/8", "$0.60/h", Cell("healthy", Tone.GOOD)),
        ("pool-h100", "NVIDIA H100", "0/2", "$12.50/h", Cell("full", Tone.WARN)),
    ),
    title="Pools",
)

FACTS = Facts((("endpoint", "sandbox"), ("lease", LEASE), ("answer", "42")))


def data_of(*texts: str) -> Rows:
    """Data of every kind of value, around remote texts."""
    at = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
    rows = tuple(
        Row(PoolId(text), Decimal("1E-7"), at, 0.5, Kind.SMALL, {text: text}) for text in (*texts, "plain")
    )
    return Rows((*rows, Row(PoolId("none"), None, None, None, Kind.SMALL, {})), Secret("canary"))


def outcome_of(text: str) -> Outcome:
    """An outcome with `text` in every place that remote text can reach."""
    return Outcome(
        data=data_of(text),
        views=(
            Table((Column("a", text), Column("b", "B")), ((text, Cell(text, Tone.BAD)),), title=text),
            Table((Column("a", "A"),), (), empty=text),
            Facts(((text, text),), title=text),
            Text(text),
        ),
        ids=(text,),
        receipt=Receipt(
            steps=(Step(text, 1.0),), lease_id=LeaseId(text), pool_id=PoolId(text), gpu=Gpu(text), kept=True
        ),
        receipt_facts=((text, text),),
        notes=(text,),
        errors=(NoCapacity(text, hint=text, status=409, platform_code=text),),
        exit=Exit.NO_CAPACITY,
    )


class Shown(Struct, frozen=True):
    """What came out, and the status."""

    out: str
    err: str
    status: int


PIPED = Terminal()


def on_terminal(width: int = 80, *, colour: bool = False, encoding: str = "utf-8") -> Terminal:
    """A terminal on both streams, without a spinner."""
    channel = Channel(is_tty=True, colour=colour, encoding=encoding)
    return Terminal(out=channel, err=channel, width=width)


def show(outcome: Outcome, terminal: Terminal = PIPED, output: str = "auto", *, quiet: bool = False) -> Shown:
    """A whole run that only finishes."""
    out, err = StringIO(), StringIO()
    screen = Screen(terminal, stdout=out, stderr=err, output=output, quiet=quiet)
    status = screen.finish(outcome, command="pools", endpoint="sandbox")
    return Shown(out.getvalue(), err.getvalue(), status)


PROGRAM = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from samples import *
terminal = Terminal.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
def screen(output="auto", **options):
    return Screen(terminal, stdout=sys.stdout, stderr=sys.stderr, output=output, **options)
def finish(outcome, output="auto", **options):
    sys.exit(screen(output, **options).finish(outcome, command="pools", endpoint="sandbox"))
"""


def command(body: str) -> list[str]:
    """A Python command line that shows something for real; `screen` and `finish` are at hand in it."""
    return [sys.executable, "-c", PROGRAM + body]


NOTHING: Mapping[str, str] = MappingProxyType({})


def environment(extra: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """An environment with nothing in it that speaks about terminals, but a TERM."""
    return {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "TERM": "xterm-256color", **extra}


def run_piped(body: str, env: Mapping[str, str] = NOTHING) -> Shown:
    """Run `body` with both streams piped; undecodable bytes would be an error."""
    done = subprocess.run(command(body), capture_output=True, env=environment(env), timeout=60)
    return Shown(done.stdout.decode(), done.stderr.decode(), done.returncode)


def run_on_terminal(body: str, env: Mapping[str, str] = NOTHING, *, columns: int = 80) -> tuple[str, int]:
    """Run `body` on a real pseudo-terminal; all that reached it, with plain newlines, and the status."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command(body), stdin=slave, stdout=slave, stderr=slave, env=environment(env), close_fds=True
    )
    os.close(slave)
    seen = b""
    while piece := _read(master):
        seen += piece
    os.close(master)
    return seen.decode().replace("\r\n", "\n"), process.wait(timeout=60)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux says EIO when the last process on the terminal ends
        return b""
