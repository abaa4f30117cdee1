"""What the keeper of a command is told: what to give back when the command is gone, and what at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.client.service import Features
from harpoon_cli.domain import LeaseRecord, Reference
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.evidence import can_settle
from harpoon_cli.leases.keeper import Keeper

Say = Callable[[str], None]


class Keeping:
    """The keeper of one command, which takes leases on one platform.

    `live` says that the platform is not the sandbox: then a release that finds no endpoint must fail, and not
    look there.
    """

    def __init__(
        self, options: CommonOptions, features: Features, say: Say, warn: Say, *, live: bool
    ) -> None:
        """Start it. Where that fails it warns; where the platform ends no lease either, `StorageFault`."""
        self._options = options
        self._features = features
        self._say = say
        self._warn = warn
        self._live = live
        self._goes_on = True
        self._stays = False
        self._keeper = self._started()

    def _started(self) -> Keeper | None:
        try:
            return Keeper(self._release("--overdue"))
        except OSError as cause:
            why = f"no process can be started to watch over the lease: {cause.strerror or cause}"
            if not self._features.ttl:
                raise StorageFault(
                    f"{why}; this platform would not end it either",
                    hint="see how many processes, and how much memory, this user may have: ulimit -a",
                ) from cause
            self._warn(f"{why}; if this command is killed, the lease goes on to the end of its time")
            return None

    def _release(self, *what: str) -> list[str]:
        """The command line of a release with the settings of this command."""
        options = self._options
        config = ["--config", str(Path(options.config).absolute())] if options.config else []
        profile = ["--profile", options.profile] if options.profile else []
        live = ["--live"] if self._live else []
        # -P: what lies in the working directory is not a module of ours.
        return [sys.executable, "-P", "-m", "harpoon_cli", "release", *what, *config, *profile, *live]

    def take_over(self, left: Iterable[LeaseRecord] | None, keeps: Reference | None) -> None:
        """The command's work is done: `left` are its leases that are not over, None where that is not known.

        One of them is meant to be kept. What goes on in the background is said; nothing does for a lease that
        only a person can find, of which the error tells what to do.
        """
        if self._keeper is None:
            return
        records = list(left or ())
        kept = next((one for one in records if one.reference == keeps), None)
        if kept is not None and not self._ends_by_itself(kept):
            self._stays = self._end_in_time(self._keeper, kept)
        to_settle = [one for one in records if one is not kept and can_settle(self._features, one)]
        self._goes_on = left is None or bool(to_settle)
        if self._goes_on:
            self._warn("a process in the background goes on trying to give it back, for an hour")

    def end(self, *, well: bool) -> None:
        """The command is over, and has told its result; well says that what it keeps is written down."""
        if self._keeper is None:
            return
        if well and not self._goes_on:
            self._keeper.done(stays=self._stays)
        else:
            self._keeper.leave()

    def _ends_by_itself(self, record: LeaseRecord) -> bool:
        return self._features.ttl and record.expires_at is not None

    def _end_in_time(self, keeper: Keeper, record: LeaseRecord) -> bool:
        """Have a kept lease ended when its time is over; whether that could be ordered."""
        try:
            moment = record.intended_at + timedelta(seconds=record.request.ttl_s)
        except OverflowError:  # a time that no calendar holds is none
            return False
        ordered = keeper.at(moment, self._release(record.reference))
        if ordered:
            self._say(_in_time(record, moment))
        return ordered


def _in_time(record: LeaseRecord, moment: datetime) -> str:
    return (
        f"a process in the background ends lease {record.lease_id} at {moment:%Y-%m-%d %H:%M:%S} UTC; "
        "if this machine is off by then, the next command does"
    )
