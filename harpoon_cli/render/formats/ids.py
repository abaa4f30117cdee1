"""The ids alone, one a line, for `xargs` and `$(…)`; a text alone where an outcome has no ids."""

from __future__ import annotations

from harpoon_cli.render.outcome import Text
from harpoon_cli.render.printout import Printout


def render(printout: Printout) -> str:
    """One id a line, else the texts as they are; nothing at all where there is neither."""
    outcome, out = printout.outcome, printout.terminal.out
    if outcome.ids:
        return "".join(f"{out.safe(name)}\n" for name in outcome.ids)
    return "".join(out.document(view.text) for view in outcome.views if isinstance(view, Text))
