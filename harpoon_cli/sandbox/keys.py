"""The sandbox's key: random, made once, in a file that only its owner reads."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_urlsafe

from harpoon_cli.domain import Secret
from harpoon_cli.errors import StorageFault

KEY_FILE = "sandbox.key"


def sandbox_key(state_dir: Path) -> Secret:
    """The key in `state_dir`, made where there is none. Two processes at once get the same one."""
    path = state_dir / KEY_FILE
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as cause:
        raise StorageFault(
            f"the sandbox's key in {path} cannot be used: {cause}", hint="harpoon sandbox reset --force"
        ) from cause
    if not key:
        raise StorageFault(f"the sandbox's key in {path} is empty", hint="harpoon sandbox reset --force")
    return Secret(key)


def _make(path: Path) -> None:
    """Written aside and linked into place, which fails where another process was first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{token_urlsafe(6)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"harpoon-sandbox-{token_urlsafe(24)}\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def environment_for_children() -> dict[str, str]:
    """Our environment without our own settings: they hold keys that are no other program's business."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("HOSTED_AI_", "HARPOON_"))
    }
