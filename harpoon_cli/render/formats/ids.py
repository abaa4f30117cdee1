"""The ids alone, one a line, for `xargs` and `$(…)`."""

from __future__ import annotations

from harpoon_cli.render.printout import Printout


def render(printout: Printout) -> str:
    """One id a line; nothing at all where there are none."""
    return "".join(f"{printout.terminal.out.safe(name)}\n" for name in printout.outcome.ids)
