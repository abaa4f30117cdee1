"""`--watch`: the same outcome again and again until a signal ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from harpoon_cli.cli.session import Session
from harpoon_cli.errors import PlatformError
from harpoon_cli.render.outcome import Outcome


async def watch(session: Session, snapshot: Callable[[], Awaitable[Outcome]], interval_s: float) -> NoReturn:
    """Show a snapshot every `interval_s` seconds. A platform that fails once is told and asked again."""
    while True:
        try:
            outcome = await snapshot()
        except PlatformError as error:
            outcome = Outcome(errors=[error])
        session.screen.repaint(outcome, command=session.command, endpoint=session.endpoint_told)
        await asyncio.sleep(interval_s)
