"""A command line for every command that discovery finds, and which of them need what; it runs none."""

from __future__ import annotations

from harpoon_cli.cli.tree import tree

ARGUMENTS = {
    "allocate": "-m gemma-270m",
    "bench compare": "old.json new.json",
    "bench merge": "part.json",
    "completion install": "--shell bash",
    "completion show": "bash",
    "config init": "--project",
    "config set": "lease.ttl_s 20m",
    "infer": "Hello",
    "leases": "--cost",
    "pools": "--fits gemma-270m",
    "release": "--all",
    "route-explain": "Hello",
    "sandbox pull": "--model-file none.gguf",
    "sandbox reset": "--force",
    "sandbox serve": "--host 192.0.2.1",
}
"""What follows a command's name; a command that is not here needs nothing."""

ENDLESS = frozenset({"serve"})
"""Commands that end by a signal only."""


def leaves() -> list[str]:
    """The names of all commands that are no groups."""
    return [node.name for node in tree().walk() if not node.commands and node.name not in ENDLESS]


def line(name: str) -> list[str]:
    return [*name.split(), *ARGUMENTS.get(name, "").split()]
