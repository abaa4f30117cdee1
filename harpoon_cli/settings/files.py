"""Reads small files that may be anything, and writes files so that they are whole or untouched."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, StorageFault

SMALL_BYTES = 256 * 1024
"""The longest configuration file that is read; the example with every setting has about 10 kB."""

# O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_small(
    path: Path, what: str, *, limit: int = SMALL_BYTES, hint: str | None = None
) -> tuple[bytes, os.stat_result]:
    """The content and the status of a regular file of at most `limit` bytes, links followed.

    Nothing blocks: a pipe or a device is refused, not read. `what` is how the message calls the file. Raises
    `ConfigurationFault`, with `hint`.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _refuse_irregular(f"{what} {path}", status, limit, hint)
            content = file.read(limit + 1)
    except IsADirectoryError as cause:
        raise ConfigurationFault(f"{what} {path} is a directory, not a file", hint=hint) from cause
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise ConfigurationFault(f"{what} {path} cannot be read: {reason}", hint=hint) from cause
    return content, status


def _refuse_irregular(what: str, status: os.stat_result, limit: int, hint: str | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ConfigurationFault(f"{what} is a directory, not a file", hint=hint)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationFault(f"{what} is not a regular file", hint=hint)
    if status.st_size > limit:
        raise ConfigurationFault(
            f"{what} is too large: it has {status.st_size} bytes, and at most {limit} are read", hint=hint
        )


def write_whole(path: Path, content: str | bytes, mode: int) -> None:
    """Replace the file at once by `content`, with permissions `mode`; a link is followed, not replaced.

    A reader sees the old content or the new one, also after a crash. Raises `StorageFault`.
    """
    target = Path(os.path.realpath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            _fill(descriptor, content.encode() if isinstance(content, str) else content, mode)
            Path(temporary).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as cause:
        raise StorageFault(
            f"cannot write {path}: {cause.strerror or cause}",
            hint="look at the directory's permissions and the free space; the old content is untouched",
        ) from cause


def _fill(descriptor: int, content: bytes, mode: int) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def not_utf8(place: str, cause: UnicodeDecodeError) -> ConfigurationFault:
    """The fault of a text file whose byte at some place is no UTF-8."""
    line = cause.object.count(b"\n", 0, cause.start) + 1
    return ConfigurationFault(f"{place} line {line} is not UTF-8 text", hint="save the file as UTF-8")
