"""Tab-separated values, uncut and uncoloured, under a line of column names; what a pipe gets.

A tab or newline inside a value is shown as `\\t` or `\\n`. Views are set apart by an empty line; sums of a
table are left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from harpoon_cli.render.outcome import Cell, Facts, Table, Text
from harpoon_cli.render.printout import Printout
from harpoon_cli.render.terminal import Channel


def render(printout: Printout) -> str:
    """Every view: a table with its header, facts as name and value, a text as it is."""
    channel = printout.terminal.out
    views = (view for view in printout.outcome.views if not (isinstance(view, Facts) and view.aside))
    return "\n".join(_view(view, channel) for view in views)


def _view(view: Table | Facts | Text, channel: Channel) -> str:
    match view:
        case Text():
            return channel.document(view.text)
        case Facts():
            return "".join(_line(fact, channel) for fact in view.facts)
        case Table():
            header = [column.name for column in view.columns]
            return "".join(_line(row, channel) for row in (header, *view.rows))


def _line(values: Iterable[Cell | str], channel: Channel) -> str:
    return "\t".join(channel.cell(value).text for value in values) + "\n"
