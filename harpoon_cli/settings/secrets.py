"""Finds the platform's key where the settings say it is; never in a flag, and never tells it in a message.

HOSTED_AI_API_KEY in the environment or in .env is the key itself; `platform.api_key_file`, `api_key_command`
and `api_key_keyring` say where it is. The strongest source that names any of the four decides; one source
that names two of them contradicts itself (`checks.without_rivals`). Whatever fails is an error: no other
place is tried.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harpoon_cli.domain import Secret
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings import keys
from harpoon_cli.settings.documents import expanded
from harpoon_cli.settings.files import read_small
from harpoon_cli.settings.load import Loaded
from harpoon_cli.settings.origins import SourceName
from harpoon_cli.values import Struct

_LONGEST_KEY = 8192
_COMMAND_DEADLINE_S = 30.0
"""Enough for a person to unlock a password manager."""


class KeyFound(Struct, frozen=True):
    """The key and where it was found, for people: no part of the key is in `origin`."""

    secret: Secret
    origin: str


class KeyPlace(Struct, frozen=True):
    """Where the settings say the key is. setting is dotted; source is where that was said."""

    setting: str
    source: SourceName


def key_place(loaded: Loaded) -> KeyPlace | None:
    """Where the key would come from, without looking there; None where no place is configured."""
    platform = loaded.settings.platform
    for key in keys.KEY_PLACES:
        if getattr(platform, key[-1]) is not None:
            return KeyPlace(keys.dotted(key), loaded.origins[keys.dotted(key)])
    return None


def resolve_key(
    loaded: Loaded,
    *,
    environ: Mapping[str, str] = os.environ,
    deadline_s: float = _COMMAND_DEADLINE_S,
) -> KeyFound | None:
    """The key, fetched from the configured place; None where none is configured.

    `deadline_s` is how long a command may take. `ConfigurationFault` where the place does not give a key.
    """
    place = key_place(loaded)
    if place is None:
        return None
    platform = loaded.settings.platform
    if platform.api_key is not None:
        text, origin = platform.api_key.get_secret_value(), str(place.source)
    elif platform.api_key_file is not None:
        text, origin = _from_file(Path(platform.api_key_file)), f"file {platform.api_key_file}"
    elif platform.api_key_command is not None:
        program = platform.api_key_command[0]
        text = _from_command(platform.api_key_command, environ, deadline_s)
        origin = f"command {program} ({place.source})"
    else:
        entry = platform.api_key_keyring or ""
        text, origin = _from_keyring(entry), f"keyring entry {entry} ({place.source})"
    return KeyFound(Secret(_checked(text, origin)), origin)


def key_in_variable(name: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """The key that a variable of the environment holds; `ConfigurationFault` where it holds none."""
    value = environ.get(name, "")
    if not value:
        raise ConfigurationFault(f"the variable {name} is not set", hint=f"export {name}=…")
    return Secret(_checked(value, f"the variable {name}"))


def key_in_file(path: Path) -> Secret:
    """The key that is all a file of the user's own holds; `ConfigurationFault` where it is none."""
    return Secret(_checked(_from_file(path), f"file {path}"))


def _checked(text: str, origin: str) -> str:
    """The key without white space around it, fit to be sent in a header."""
    key = text.strip()
    if not key:
        raise ConfigurationFault(f"the key from {origin} is empty")
    if len(key) > _LONGEST_KEY:
        raise ConfigurationFault(f"the key from {origin} has {len(key)} characters, more than {_LONGEST_KEY}")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigurationFault(
            f"the key from {origin} cannot be sent: it holds white space, a control character or one that is "
            "not ASCII",
            hint="a key is one word; look for a second line, a quote mark or a placeholder",
        )
    return key


def _from_file(path: Path) -> str:
    content, status = read_small(
        path,
        "the key file",
        limit=_LONGEST_KEY * 2,
        hint="name a file that holds only the key",
    )
    _refuse_loose(path, status)
    return content.decode("latin-1")  # what is not ASCII is refused by the check that follows


def _refuse_loose(path: Path, status: os.stat_result) -> None:
    """Nobody but its owner may touch a key file, and the owner is this user or root.

    The one exception is root's file that this user can only read through its group: a container's mounted
    secret has no other way.
    """
    if os.name != "posix":
        return
    user = os.geteuid()
    if user != 0 and status.st_uid not in (user, 0):
        raise ConfigurationFault(
            f"the key file {path} belongs to another user", hint="copy it to a file of yours"
        )
    allowed = 0o740 if status.st_uid == 0 and user != 0 else 0o700
    if (mode := stat.S_IMODE(status.st_mode)) & 0o777 & ~allowed:
        raise ConfigurationFault(
            f"the key file {path} is open to others (mode {mode:04o})",
            hint=f"chmod 600 {path}; for a Kubernetes secret, defaultMode: 0400",
        )


def _from_command(command: tuple[str, ...], environ: Mapping[str, str], deadline_s: float) -> str:
    """What the program prints. It is run without a shell and without input; its messages are dropped."""
    program = _program(command[0], environ)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, from a source that is trusted
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        # Not `from` it: the exception holds what was printed so far.
        raise ConfigurationFault(
            f"platform.api_key_command: {command[0]} did not end within {deadline_s:g} s",
            hint="run it yourself: it may be waiting to be unlocked",
        ) from None
    except OSError as cause:
        raise ConfigurationFault(
            f"platform.api_key_command: {command[0]} cannot be run: {cause.strerror}"
        ) from cause
    if done.returncode != 0:
        raise ConfigurationFault(
            f"platform.api_key_command: {command[0]} ended with status {done.returncode}",
            hint="run it yourself to see what it says",
        )
    return done.stdout.decode("latin-1")


def _program(name: str, environ: Mapping[str, str]) -> str:
    """The absolute path of a program; never one below the working directory, which may be anybody's."""
    path = expanded(name, environ)
    if "/" in name and not path.is_absolute():
        raise ConfigurationFault(
            f"platform.api_key_command: {name} is a relative path",
            hint="name a program in PATH, or write its absolute path",
        )
    found = shutil.which(str(path), path=environ.get("PATH"))
    if found is None or not Path(found).is_absolute():
        raise ConfigurationFault(f"platform.api_key_command: there is no program {name}")
    return found


def _from_keyring(entry: str) -> str:
    service, _, username = entry.partition("/")
    try:
        import keyring  # an optional extra, and slow to import
        from keyring.errors import KeyringError
    except ImportError as cause:
        raise ConfigurationFault(
            "platform.api_key_keyring needs the package keyring, which is not installed",
            hint="pip install 'harpoon-cli[keyring]'",
        ) from cause
    try:
        found = keyring.get_password(service, username)
    except KeyringError as cause:
        raise ConfigurationFault(f"the keyring cannot be asked: {cause}") from cause
    if found is None:
        raise ConfigurationFault(
            f"the keyring has no entry {entry}", hint=f"keyring set {service} {username}"
        )
    return found
