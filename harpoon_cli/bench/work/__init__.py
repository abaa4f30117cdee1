"""Sources of prompts, one a file; adding a file adds a source. A source makes asks, and sends none.

A source's name is its file's name, what it is the first line of the file's docstring. Every file has a
`WORK`: its class, whose annotated fields are the parameters.
"""

from __future__ import annotations

from harpoon_cli.bench.asking.asks import Work
from harpoon_cli.bench.planning.parameters import Choices
from harpoon_cli.discovery import Folder

FOLDER = Folder(__name__, __path__, "source of work")

_CHOICES: Choices[Work] = Choices(FOLDER, Work, "WORK", "work")

source, parse, write = _CHOICES.choice, _CHOICES.parse, _CHOICES.write
