"""What a command returns: data for programs, views for people, and nothing printed yet.

`data` is a frozen Struct (or None); its JSON form is the command's published schema. Views say what a
person sees of it: a `Table` of rows, `Facts` about one thing, or `Text`. Every string in them may hold remote
text as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from harpoon_cli.domain import Receipt
from harpoon_cli.errors import Exit, HarpoonError
from harpoon_cli.values import Struct, field


class Tone(StrEnum):
    """What a piece of text means, never what colour it has; readable without colour all the same."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    FAINT = "faint"
    STRONG = "strong"


class Cell(Struct, frozen=True):
    """A value in a view: its words, and what they mean."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(Struct, frozen=True):
    """A table's column. `name` is the machine's header (TSV), `title` the person's.

    A minor column is left out, and that is said, where a terminal is too narrow for all of them.
    """

    name: str
    title: str
    right: bool = False
    minor: bool = False


class Table(Struct, frozen=True):
    """Rows of cells, one per column; `empty` is the sentence printed where there are none."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]]
    empty: str = "nothing to show"
    title: str | None = None


class Facts(Struct, frozen=True):
    """Labelled facts about one thing, in order; those that sum up a table (aside) are for people alone."""

    facts: Sequence[tuple[str, Cell | str]]
    title: str | None = None
    aside: bool = False


class Text(Struct, frozen=True):
    """A document printed as it is, e.g. an answer or a configuration file."""

    text: str


class Outcome(Struct, frozen=True):
    """The result of a command.

    ids are what `--output ids` prints, one a line. notes are sentences for a person, printed to stderr.
    receipt_facts are what a person also sees in the receipt, e.g. the model and the tokens.
    A non-zero `exit` with data is a command that ran and did not find things as they should be; `errors`
    then says why, and `data` still holds what is known.
    """

    data: object | None = None
    views: Sequence[Table | Facts | Text] = ()
    ids: Sequence[str] = ()
    receipt: Receipt | None = None
    receipt_facts: Sequence[tuple[str, Cell | str]] = ()
    notes: Sequence[str] = ()
    errors: Sequence[HarpoonError] = field(default_factory=tuple)
    exit: Exit = Exit.DONE
