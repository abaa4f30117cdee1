"""Show, check and change the configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from harpoon_cli.cli.command import command, epilog, new_app
from harpoon_cli.cli.session import Session, working_directory
from harpoon_cli.errors import ConfigurationFault, UsageFault
from harpoon_cli.render import formats
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Text, Tone
from harpoon_cli.settings.origins import Kind
from harpoon_cli.settings.paths import PROJECT_FILE, project_file, user_file
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from harpoon_cli.settings.load import Loaded

app = new_app()


class SettingData(Struct, frozen=True):
    """A setting as TOML writes it, secrets masked, and where its value came from."""

    key: str
    value: str
    origin: str


class ConfigShowData(Struct, frozen=True):
    """Every setting, in the order of the example file."""

    settings: tuple[SettingData, ...]


class ConfigFile(Struct, frozen=True):
    """A file that may hold settings."""

    role: str
    path: str
    exists: bool


class ConfigPathData(Struct, frozen=True):
    """The files that are looked at, strongest first."""

    files: tuple[ConfigFile, ...]


class ConfigValidateData(Struct, frozen=True):
    """The files that were read and found good."""

    files: tuple[str, ...]


class ConfigWrittenData(Struct, frozen=True):
    """The file that was written, and for `set` the key and its value."""

    path: str
    key: str | None
    value: str | None


ProjectOption = Annotated[
    bool, Option("--project", help="The project's harpoon.toml here, not the user's file.")
]


@app.callback(
    epilog=epilog(
        [
            ("config init", "a commented file for this user"),
            ("config show --origin", "where each value came from"),
        ]
    )
)
def config() -> None:
    """Show, check and change the configuration."""


@command(
    app,
    "config show",
    data=ConfigShowData,
    examples=[
        ("config show", "every setting as it holds now"),
        ("config show --origin", "and where each value came from"),
    ],
)
async def show(
    session: Session,
    origin: Annotated[bool, Option("--origin", help="Say where each value came from.")] = False,
) -> Outcome:
    """Show every setting as it holds now; secrets are masked."""
    from harpoon_cli.settings.show import rows

    settings = tuple(SettingData(row.key, row.value, str(row.origin)) for row in rows(session.loaded))
    columns = [Column("key", "setting"), Column("value", "value")]
    columns += [Column("origin", "from")] if origin else []
    lines: list[Sequence[Cell | str]] = [
        [one.key, one.value, *([one.origin] if origin else [])] for one in settings
    ]
    return Outcome(
        data=ConfigShowData(settings), views=[Table(columns, lines)], ids=[one.key for one in settings]
    )


@command(
    app,
    "config path",
    data=ConfigPathData,
    examples=[("config path", "where settings are looked for")],
    needs_settings=False,
)
async def path(session: Session) -> Outcome:
    """Show the files that settings are read from, strongest first."""
    cwd = working_directory()
    named = session.options.config or os.environ.get("HARPOON_CONFIG")
    found = [("environment file", cwd / ".env")]
    if named:
        found.append(("named file", Path(named)))
    else:
        found.append(("project file", project_file(cwd) or cwd / PROJECT_FILE))
        found.append(("user file", user_file()))
    files = tuple(ConfigFile(role, str(one), one.exists()) for role, one in found)
    columns = [Column("role", "file"), Column("path", "path"), Column("exists", "there")]
    return Outcome(
        data=ConfigPathData(files),
        views=[Table(columns, [[one.role, one.path, "yes" if one.exists else "no"] for one in files])],
        ids=[one.path for one in files],
    )


@command(
    app,
    "config validate",
    data=ConfigValidateData,
    examples=[("config validate", "in CI: status 3 and every mistake, with the nearest known name")],
    needs_settings=False,
)
async def validate(session: Session) -> Outcome:
    """Check every source of settings, and whether together they name a platform; nothing is sent."""
    from harpoon_cli.cli.connect import check
    from harpoon_cli.settings.endpoint import LiveEndpoint, endpoint
    from harpoon_cli.settings.load import problems

    options = session.options
    errors = problems(
        flags=options.flags(),
        config=options.config,
        profile=options.profile,
        environ=os.environ,
        cwd=working_directory(),
    )
    if errors:
        return Outcome(errors=list(errors))
    where = endpoint(session.loaded)
    await check(session.settings, where if isinstance(where, LiveEndpoint) else None)
    _check_format(session.loaded)
    files = tuple(str(one) for one in session.loaded.files)
    words = f"good: {', '.join(files)}" if files else "good: no file, defaults and environment"
    return Outcome(data=ConfigValidateData(files), views=[Text(words)], ids=list(files))


def _check_format(loaded: Loaded) -> None:
    name = loaded.settings.output.format
    try:
        if name != "auto":
            formats.known(name)
    except UsageFault as fault:
        message = f"{loaded.origins['output.format']}: {fault.message}"
        raise ConfigurationFault(message, hint=fault.hint) from fault


@command(
    app,
    "config init",
    data=ConfigWrittenData,
    examples=[
        ("config init", "a commented file for this user, every setting in it"),
        ("config init --project", "one for this project: harpoon.toml"),
    ],
    needs_settings=False,
)
async def init(session: Session, project: ProjectOption = False) -> Outcome:
    """Write a configuration file in which every setting stands as a comment; one that is there is kept."""
    from harpoon_cli.settings.write import init

    written = init(_target(session, project=project)[0])
    return Outcome(
        data=ConfigWrittenData(str(written), None, None),
        views=[Facts([("written", Cell(str(written), Tone.STRONG))])],
        ids=[str(written)],
    )


@command(
    app,
    "config set",
    data=ConfigWrittenData,
    examples=[
        ("config set platform.base_url https://api.hosted.ai", "for this user"),
        ("config set lease.ttl_s 30m --project", "for this project"),
    ],
    needs_settings=False,
)
async def set_(
    session: Session,
    key: Annotated[str, Argument(metavar="KEY", help="A setting, such as lease.ttl_s.")],
    value: Annotated[str, Argument(metavar="VALUE", help="Its new value.")],
    project: ProjectOption = False,
) -> Outcome:
    """Change one setting in a configuration file; it is checked first, and comments are kept where possible.

    A key is never written to a file this way: see platform.api_key_file and its neighbours.
    """
    from harpoon_cli.settings.write import set_value

    target, kind = _target(session, project=project)
    written = set_value(target, key, value, kind=kind, environ=os.environ, cwd=working_directory())
    notes = [f"comments could not be kept; the file as it was is {written.backup}"] if written.backup else []
    return Outcome(
        data=ConfigWrittenData(str(written.path), written.key, written.value),
        views=[Facts([(written.key, written.value), ("in", str(written.path))])],
        ids=[str(written.path)],
        notes=notes,
    )


def _target(session: Session, *, project: bool) -> tuple[Path, Kind]:
    """The file to write: the project's, the one named by --config or HARPOON_CONFIG, or the user's."""
    from harpoon_cli.settings.gather import named_file

    if project:
        return project_file(working_directory()) or working_directory() / PROJECT_FILE, Kind.PROJECT
    named = named_file(session.options.config, os.environ, working_directory())
    return (named, Kind.NAMED) if named else (user_file(), Kind.USER)
