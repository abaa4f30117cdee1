"""Runs whole command lines in this process, in a home and an environment of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from harpoon_cli.cli.app import run

SANDBOX_NOTE = "note: no endpoint is configured: this is the embedded sandbox, not HostedAI\n"


@dataclass(frozen=True)
class Ran:
    """A command line's end: status, stdout and stderr as they came."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def data(self) -> Any:
        return self.json["data"]


@dataclass
class Operator:
    """Somebody at a shell: a home directory, a working directory, an environment."""

    home: Path
    cwd: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str | bytes | None = None) -> Ran:
        """Run `harpoon ARGUMENTS` with both streams piped."""
        runner = CliRunner()
        with runner.isolation(input=stdin, env=dict(self.environ)) as streams:
            status = run(arguments)
            out, err = streams[0].getvalue().decode(), streams[1].getvalue().decode()
        assert "Traceback" not in out + err
        return Ran(status, out, err)

    @property
    def config_file(self) -> Path:
        return self.home / ".config" / "harpoon" / "config.toml"

    def configure(self, text: str) -> None:
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)
        self.config_file.chmod(0o600)
