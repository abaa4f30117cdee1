"""The versioned envelope as JSON: indented for people, one line for a snapshot of many."""

from __future__ import annotations

from harpoon_cli.render.envelope import encode, envelope, veiled
from harpoon_cli.render.printout import Printout


def render(printout: Printout) -> str:
    """The envelope; ASCII only where stdout cannot show every character."""
    channel = printout.terminal.out
    whole = veiled(envelope(printout.outcome, printout.command, printout.endpoint), channel.veil)
    return encode(whole, ascii_only=not channel.unicode, one_line=printout.one_line)
