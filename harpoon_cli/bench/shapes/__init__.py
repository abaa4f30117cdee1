"""Load shapes, one a file; adding a file adds a shape. A shape says when requests are due, and sends none.

A shape's name is its file's name, what it is the first line of the file's docstring. Every file has a `LOAD`:
its class, whose annotated fields are the parameters.
"""

from __future__ import annotations

from harpoon_cli.bench.planning.load import Load
from harpoon_cli.bench.planning.parameters import Choices
from harpoon_cli.discovery import Folder

FOLDER = Folder(__name__, __path__, "load shape")

_CHOICES: Choices[Load] = Choices(FOLDER, Load, "LOAD", "load")

shape, parse, write = _CHOICES.choice, _CHOICES.parse, _CHOICES.write
