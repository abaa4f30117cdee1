"""Who we are when we ask for a lease: user, host and CI run."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from harpoon_cli.domain import Owner

RUN_VARIABLES = (
    "HARPOON_RUN_ID",
    "GITHUB_RUN_ID",
    "CI_PIPELINE_ID",
    "BUILDKITE_BUILD_ID",
    "CIRCLE_WORKFLOW_ID",
    "BUILD_TAG",
)
"""Where a CI run's id is looked for: ours, GitHub, GitLab, Buildkite, CircleCI, Jenkins; the first wins."""


def current_owner(environ: Mapping[str, str], state: Path) -> Owner:
    """Us, with the ledger in the directory `state`."""
    run_id = next((environ[name] for name in RUN_VARIABLES if environ.get(name)), None)
    host = _sendable(socket.gethostname())
    return Owner(_sendable(_user()), host, run_id and _sendable(run_id), os.getpid(), _home(host, state))


def _home(host: str, state: Path) -> str:
    """A mark of this ledger: 64 bits of a hash over host, user, container and directory.

    Two containers may share host name, user and path; Linux gives each a mount namespace of its own. Two
    machines cloned from one image differ by their machine id.
    """
    try:
        container = os.readlink("/proc/self/ns/mnt")  # noqa: PTH115 - not a path
    except OSError:
        container = ""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        machine = ""
    place = f"{host} {machine} {os.getuid()} {container} {os.path.realpath(state)}"
    return sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _sendable(name: str) -> str:
    """The environment may hold bytes that are no text; a request and the ledger cannot."""
    return name.encode("utf-8", "replace").decode()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run a user id that has no name
        return f"uid{os.getuid()}"
