"""Tables and facts for people, laid out by Rich; the only importer of it.

Where a table does not fit, its prose is wrapped; where that is not enough, its minor columns are left out,
the last one first, and named below it; and where that is not enough either, or where plain lines are asked
for, every row becomes a block of "title: value" lines. No value is ever cut, or read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import rich.table
from rich.box import Box
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Words

from harpoon_cli.render.lines import labelled, wrap
from harpoon_cli.render.outcome import Cell, Column, Facts, Table, Text, Tone
from harpoon_cli.render.printout import Printout
from harpoon_cli.render.terminal import Terminal

_GAP = 2
_PROSE_COLUMNS = 16
"""A column of running words is not made narrower than this."""

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
    Tone.FAINT: "dim",
    Tone.STRONG: "bold",
}

_RULED = "    \n    \n ── \n    \n    \n    \n    \n    \n"
"""A rule under the header, and nothing else."""


def render(printout: Printout) -> str:
    """Every view, set apart by an empty line."""
    return "\n".join(_view(view, printout.terminal) for view in printout.outcome.views)


def _view(view: Table | Facts | Text, terminal: Terminal) -> str:
    match view:
        case Text():
            return terminal.out.document(view.text)
        case Facts():
            return _titled(view.title, _facts(view.facts, terminal), terminal)
        case Table():
            return _titled(view.title, _table(view, terminal), terminal)


def _titled(title: str | None, body: str, terminal: Terminal) -> str:
    return f"{terminal.out.paint(terminal.out.safe(title), Tone.STRONG)}\n{body}" if title else body


def _facts(facts: Sequence[tuple[str, Cell | str]], terminal: Terminal) -> str:
    harmless = [(terminal.out.safe(label), terminal.out.cell(cell)) for label, cell in facts]
    return "".join(f"{line}\n" for line in labelled(harmless, terminal.width, terminal.out, cell_len))


def _table(table: Table, terminal: Terminal) -> str:
    channel = terminal.out
    if not table.rows:
        return channel.paint(channel.safe(table.empty), Tone.FAINT) + "\n"
    header = [channel.safe(column.title) for column in table.columns]
    rows = [[channel.cell(cell) for cell in row] for row in table.rows]
    fitting = None if terminal.accessible else _fitting(table.columns, header, rows, terminal.width)
    if fitting is None:
        return "\n".join(_facts(list(zip(header, row, strict=True)), terminal) for row in rows)
    places, widths = fitting
    shown = [[row[place] for place in places] for row in rows]
    rights = [table.columns[place].right for place in places]
    grid = _laid_out([header[place] for place in places], shown, widths, rights, terminal)
    return grid + _left_out([title for place, title in enumerate(header) if place not in places], terminal)


def _fitting(
    columns: Sequence[Column], header: Sequence[str], rows: Sequence[Sequence[Cell]], room: int
) -> tuple[list[int], list[int]] | None:
    """The columns to show and their widths; None where not even those that are not minor fit."""
    places = list(range(len(columns)))
    minor = [place for place in places if columns[place].minor]
    while True:
        shown = [[row[place] for place in places] for row in rows]
        widths = _widths([header[place] for place in places], shown, room)
        if widths is not None:
            return places, widths
        if not minor:
            return None
        places.remove(minor.pop())


def _left_out(titles: Sequence[str], terminal: Terminal) -> str:
    if not titles:
        return ""
    told = f"(not shown: {', '.join(titles)}; a wider terminal or -o tsv has them)"
    return "".join(
        f"{terminal.out.paint(line, Tone.FAINT)}\n" for line in wrap(told, terminal.width, cell_len)
    )


def _widths(header: Sequence[str], rows: Sequence[Sequence[Cell]], room: int) -> list[int] | None:
    """The columns' widths: natural where there is room, else with prose wrapped; None where neither fits."""
    # A title may stand on several lines: only its longest word needs the room.
    texts = [[*title.split(" "), *(row[place].text for row in rows)] for place, title in enumerate(header)]
    widths = [max(map(cell_len, column)) for column in texts]
    floors = [_floor(column, width) for column, width in zip(texts, widths, strict=True)]
    gaps = _GAP * (len(widths) - 1)
    if sum(floors) + gaps > room:
        return None
    widths = [min(width, room) for width in widths]
    for _ in range(sum(widths) + gaps - room):
        widest = max(range(len(widths)), key=lambda place: (widths[place] > floors[place], widths[place]))
        widths[widest] -= 1
    return widths


def _floor(column: Sequence[str], width: int) -> int:
    """The narrowest a column may be: whole where it holds ids or figures, its longest word where prose."""
    if width <= _PROSE_COLUMNS:
        return width
    longest_word = max(cell_len(word) for text in column for word in text.split(" "))
    return max(longest_word, _PROSE_COLUMNS)


def _laid_out(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    widths: Sequence[int],
    rights: Sequence[bool],
    terminal: Terminal,
) -> str:
    box = Box(_RULED if terminal.out.unicode else _RULED.replace("─", "-"), ascii=not terminal.out.unicode)
    grid = rich.table.Table(box=box, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    grid.header_style, grid.border_style = "bold", "dim"
    for title, width, right in zip(header, widths, rights, strict=True):
        grid.add_column(
            Words("\n".join(wrap(title, width, cell_len))),
            width=width,
            justify="right" if right else "left",
            overflow="fold",
        )
    for row in rows:
        grid.add_row(*(_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)))
    paper = StringIO()
    _console(paper, terminal).print(grid)
    return "".join(f"{line.rstrip()}\n" for line in paper.getvalue().splitlines())


def _wrapped(cell: Cell, width: int) -> Words:
    return Words("\n".join(wrap(cell.text, width, cell_len)), style=_STYLES[cell.tone])


def _console(paper: StringIO, terminal: Terminal) -> Console:
    """A console that knows only what it is told: neither the environment nor a stream is looked at."""
    return Console(
        file=paper,
        width=terminal.width,
        height=terminal.height,
        force_terminal=terminal.out.colour,
        color_system="standard" if terminal.out.colour else None,
        no_color=not terminal.out.colour,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )
