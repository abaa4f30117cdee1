"""A home, a working directory inside a repository, and an environment, all of one test's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings.endpoint import Endpoint, endpoint
from harpoon_cli.settings.load import Loaded, load

KEY = "sk-test-0123456789abcdef"


@dataclass
class Place:
    """Where a command runs. `environ` is its whole environment."""

    home: Path
    cwd: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def user_file(self) -> Path:
        return self.home / ".config" / "harpoon" / "config.toml"

    def user(self, text: str) -> Path:
        return write(self.user_file, text)

    def project(self, text: str) -> Path:
        return write(self.cwd / "harpoon.toml", text)

    def dotenv(self, text: str) -> Path:
        return write(self.cwd / ".env", text)

    def load(
        self,
        flags: dict[str, object] | None = None,
        *,
        config: Path | None = None,
        profile: str | None = None,
    ) -> Loaded:
        return load(flags=flags, config=config, profile=profile, environ=self.environ, cwd=self.cwd)

    def endpoint(self, *, config: Path | None = None) -> Endpoint:
        return endpoint(self.load(config=config), environ=self.environ)

    def fault(self, **arguments: object) -> ConfigurationFault:
        """The fault that loading ends with."""
        with pytest.raises(ConfigurationFault) as caught:
            load(environ=self.environ, cwd=self.cwd, **arguments)  # type: ignore[arg-type]  # passed on as given
        return caught.value

    def endpoint_fault(self) -> ConfigurationFault:
        """The fault that choosing the endpoint ends with."""
        with pytest.raises(ConfigurationFault) as caught:
            self.endpoint()
        assert KEY not in caught.value.message + str(caught.value.hint)
        return caught.value


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def make_place(directory: Path) -> Place:
    home = directory / "home"
    cwd = home / "work" / "app"
    (cwd / ".git").mkdir(parents=True)
    return Place(home, cwd, {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)})
