"""What a format is given to render; the border between the screen and the formats, and nothing else."""

from __future__ import annotations

from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.terminal import Terminal
from harpoon_cli.values import Struct


class Printout(Struct, frozen=True):
    """An outcome, the command it is of ("config show"), and the terminal it is for.

    endpoint is "sandbox", a URL, or None where the command needs no platform. one_line asks a format for
    machines to take a single line, for one snapshot of many.
    """

    outcome: Outcome
    command: str
    endpoint: str | None
    terminal: Terminal
    one_line: bool = False
