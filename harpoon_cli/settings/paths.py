"""Where harpoon's own files live, by the XDG rule on every system; creates only what it is asked to create.

Used by TAB completion, so it imports nothing that costs time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harpoon_cli.errors import ConfigurationFault, StorageFault

PROJECT_FILE = "harpoon.toml"
USER_FILE = "config.toml"


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/harpoon`, by default `~/.config/harpoon`."""
    return _base("XDG_CONFIG_HOME", (".config",), environ) / "harpoon"


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_STATE_HOME/harpoon`, by default `~/.local/state/harpoon`: the ledger, what must survive."""
    return _base("XDG_STATE_HOME", (".local", "state"), environ) / "harpoon"


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CACHE_HOME/harpoon`, by default `~/.cache/harpoon`: what can be fetched or made again."""
    return _base("XDG_CACHE_HOME", (".cache",), environ) / "harpoon"


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's configuration file, there or not."""
    return config_dir(environ) / USER_FILE


def project_file(cwd: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The `harpoon.toml` of the project around `cwd`, or None.

    Looked for in `cwd`, and, inside a git repository, in its parents up to the repository's root. Outside of
    one no parent is looked at, nor is the home directory or anything above it: a file there would speak for
    directories that have nothing to do with it.
    """
    return next((path for path in _candidates(cwd, environ) if os.path.lexists(path)), None)


def _candidates(cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    home = environ.get("HOME")
    found: list[Path] = []
    for directory in (cwd, *cwd.parents):
        if directory != cwd and str(directory) == home:
            break
        found.append(directory / PROJECT_FILE)
        if os.path.lexists(directory / ".git"):
            return found
    return found[:1]


def make_private(directory: Path) -> Path:
    """Create `directory`, and what is missing above it, for this user alone (0700); return it.

    A directory that is already there keeps its mode. `StorageFault` where it cannot be made.
    """
    try:
        for missing in reversed([directory, *directory.parents]):
            if not missing.is_dir():
                missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as cause:
        raise StorageFault(
            f"cannot create the directory {directory}: {cause.strerror or cause}",
            hint="look at its parent's permissions and the free space, or point XDG_CONFIG_HOME, "
            "XDG_STATE_HOME or XDG_CACHE_HOME elsewhere",
        ) from cause
    return directory


def _base(variable: str, below_home: tuple[str, ...], environ: Mapping[str, str]) -> Path:
    """The XDG base directory; a relative path in the variable counts as unset, as the standard asks."""
    named = environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else home_dir(environ).joinpath(*below_home)


def home_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's home directory; `ConfigurationFault` where the system does not know one."""
    named = environ.get("HOME", "")
    if Path(named).is_absolute():
        return Path(named)
    try:
        return Path.home()
    except RuntimeError as cause:
        raise ConfigurationFault(
            "the home directory is not known", hint="set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME"
        ) from cause
