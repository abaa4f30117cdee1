"""Checks an answer by a pattern or a schema of the user's, in a process that is ended if it takes too long.

A pattern can take longer than the universe is old, while a lease is held; nothing of Python's can stop it
for sure. Run as a script it is that process: a check and a text on stdin, what was found on stdout.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress

from harpoon_cli.errors import HarpoonError, UsageFault
from harpoon_cli.routing.checks import Check, Found, Kind, well_formed

CHECK_S = 5.0
"""How long a check may take; one that is meant takes milliseconds."""

ALONE_S = 8
"""After this the process ends by itself: whoever asked is gone, and nobody else would end it."""


async def checked(text: str, check: Check) -> Found:
    """`well_formed`; `UsageFault` where that takes too long."""
    if check.kind is Kind.JSON:
        return well_formed(text, check)
    asked = {"kind": check.kind, "schema": check.schema, "pattern": check.pattern, "text": text}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(CHECK_S):
            told, _ = await process.communicate(json.dumps(asked).encode())
    except TimeoutError as cause:
        raise UsageFault(
            f"--check {check.kind} has not come to an end after {CHECK_S:g} s on the small model's answer",
            hint="repetitions within repetitions take for ever, such as (a+)+: write the pattern without",
        ) from cause
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _found(told)


def _found(told: bytes) -> Found:
    try:
        value = json.loads(told)
        return Found(value["accepted"], None, value["sentence"])
    except (ValueError, LookupError) as cause:
        raise HarpoonError(
            "the check of the small model's answer has ended without a result", hint="harpoon help infer"
        ) from cause


def main() -> None:
    """Check what stdin tells."""
    # The kernel's own way to end it: a handler of Python's would wait for the pattern.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(ALONE_S)
    asked = json.load(sys.stdin)
    check = Check(Kind(asked["kind"]), schema=asked["schema"], pattern=asked["pattern"])
    found = well_formed(asked["text"], check)
    json.dump({"accepted": found.accepted, "sentence": found.sentence}, sys.stdout)


if __name__ == "__main__":
    main()
