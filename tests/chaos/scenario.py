"""What a scenario is: command lines, what ends them, what the platform does to them, and the recovery.

A value; playing it twice asks the same of harpoon. What the system decides meanwhile (who runs first, how
fast) is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.faults import Fault, Trap
from tests.chaos.tenant import Nature

COMMANDS: dict[str, tuple[str, ...]] = {
    "infer": ("infer", "Why is the sky blue?", "--model", "gemma-2b", "--no-stream"),
    "stream": ("infer", "Why is the sky blue?", "--model", "gemma-2b"),
    "allocate": ("allocate", "--model", "gemma-2b", "-q"),
    "release": ("release",),
    "release-all": ("release", "--all"),
    "overdue": ("release", "--overdue"),
    "pools": ("pools", "-q"),
}
"""The command lines, by name. "release" is given the id of a lease that was allocated before."""

GOOD = Nature()
"""A platform that keeps every promise of the contract."""


@dataclass(frozen=True)
class Kill:
    """How commands are ended: at the trap, `after_s` seconds after the start, or at a system call.

    system_call names it and says which one of that name: "fdatasync 3".
    whom: "process", "group" or "shell" (its parent, where the signal does not reach harpoon itself).
    second_after_s: the same signal again. go_late: what the trap holds goes on only after the first pass.
    """

    signal: str
    after_s: float | None = None
    system_call: str | None = None
    whom: str = "process"
    second_after_s: float | None = None
    go_late: bool = False


@dataclass(frozen=True)
class Scenario:
    """Command lines that run at once on one ledger, and what happens to them."""

    name: str
    commands: tuple[str, ...]
    nature: Nature = GOOD
    faults: tuple[Fault, ...] = ()
    trap: Trap | None = None
    kills: tuple[Kill | None, ...] = (None,)
    recovery: str = "overdue"
    damage: str | None = None

    @property
    def kill_of_each(self) -> tuple[Kill | None, ...]:
        """What ends each of the commands; one kill stands for all of them."""
        return self.kills if len(self.kills) == len(self.commands) else self.kills * len(self.commands)

    @property
    def releases(self) -> bool:
        """Is there a lease before, for the commands to release?"""
        return any(name.startswith("release") for name in self.commands)

    @property
    def is_late(self) -> bool:
        return any(kill is not None and kill.go_late for kill in self.kills)
