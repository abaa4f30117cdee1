"""Who may import whom: the architecture's rules, held over every import in the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "harpoon_cli"
FILES = sorted(PACKAGE.rglob("*.py"))

GROUND = {"domain", "errors", "values"}
MAY_IMPORT = {
    "__init__": set(),
    "errors": set(),
    "values": set(),
    "domain": {"values"},
    "built_in": set(),
    "durations": set(),
    "veil": {"domain", "values"},
    "amounts": set(),
    "plain": {"domain", "values"},
    "pricing": GROUND | {"amounts"},
    "catalogue": GROUND | {"built_in"},
    "routing": GROUND | {"discovery", "pricing"},
    "client": GROUND | {"veil"},
    "leases": GROUND | {"amounts", "pricing", "client.service", "client.retry", "client.guard"},
    "render": GROUND | {"amounts", "plain", "veil"},
    "settings": GROUND | {"catalogue", "durations"},
    "discovery": {"errors", "values"},
    "bench": GROUND
    | {"__init__", "client", "discovery", "durations", "leases", "plain", "pricing", "routing"},
    "sandbox": GROUND | {"client"},
    "cli": GROUND
    | {
        "amounts",
        "bench",
        "built_in",
        "catalogue",
        "client",
        "durations",
        "leases",
        "plain",
        "pricing",
        "render",
        "routing",
        "sandbox",
        "settings",
        "__init__",
        "early",
    },
    "early": set(),
    "__main__": {"cli", "early", "__init__"},
}
"""For each part of the package, the others it may import. A part always sees itself."""

OWNERS = {
    "httpx": ["client/transport.py"],
    "msgspec": ["values.py"],
    "httpcore": ["client/sockets.py"],
    "tenacity": ["client/retry.py"],
    "h11": ["sandbox/server.py"],
    "xllamacpp": ["sandbox/engine_process.py"],
    "rich": ["render/"],
    "typer": ["cli/", "__main__.py"],
    "pydantic": ["settings/", "render/schema.py"],  # the schema's maker, which no command loads
    "pydantic_core": ["settings/", "render/schema.py"],
    "pydantic_settings": ["settings/"],
    "tomli_w": ["settings/"],
    "dotenv": ["settings/"],
    "keyring": ["settings/"],
    "distributed": ["bench/spreading/spread.py"],
}
"""For each library, the only files that may import it."""

PURE = ("amounts", "built_in", "catalogue", "domain", "errors", "plain", "pricing", "routing")
REACHES_OUT = {"asyncio", "os", "shutil", "socket", "sqlite3", "subprocess", "sys", "tempfile", "urllib"}


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, anywhere in it; a name from our package counts as a module."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(path: Path) -> Iterator[str]:
    """What a file imports of the package, without its name; a name of the package itself is `__init__`."""
    for module in imported(path):
        top, _, rest = module.partition(".")
        if top == "harpoon_cli":
            yield rest if rest.split(".")[0] in MAY_IMPORT else "__init__"


def test_every_part_has_its_rule() -> None:
    assert {part_of(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part}
    broken = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in FILES
        if part_of(path) == part
        for module in ours(path)
        if not any(f"{module}.".startswith(f"{one}.") for one in allowed)
    ]
    assert broken == []


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_its_owner(library: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(module.split(".")[0] == library for module in imported(path))
    }
    assert users
    assert [user for user in sorted(users) if not user.startswith(tuple(OWNERS[library]))] == []


def test_pure_parts_reach_nothing_outside() -> None:
    broken = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in FILES
        if part_of(path) in PURE
        for module in imported(path)
        if module.split(".")[0] in REACHES_OUT
    ]
    assert broken == []
