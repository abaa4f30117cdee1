"""The completion script for zsh, for its completion system (compinit)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

from harpoon_cli.cli.shells import data_dir
from harpoon_cli.cli.tree import CommandArgument, CommandNode, CommandOption, Values

FILE = "_harpoon"


def place(environ: Mapping[str, str]) -> Path:
    return data_dir(environ) / "zsh" / "site-functions" / FILE


def next_step(path: Path) -> str:
    return (
        "add this line to ~/.zshrc, before any other compinit, and open a new shell: "
        f"fpath=({quote(str(path.parent))} $fpath); "
        "autoload -Uz compinit && compinit"
    )


def script(root: CommandNode) -> str:
    """The whole script; the same tree gives the same text."""
    functions = [_group(node) if node.commands else _command(node) for node in root.walk()]
    return _HEAD + "\n".join(functions) + _TAIL


def _function(node: CommandNode) -> str:
    return "_".join(["_harpoon", *(part.replace("-", "_") for part in node.path)])


def _group(node: CommandNode) -> str:
    # Only the root is called with the whole line, whose first word is the program as it was typed.
    own = "" if node.path else " program=$words[1]"
    commands = (quote(f"{one.path[-1]}:{one.line}") for one in node.commands)
    arms = (f"        ({one.path[-1]}) {_function(one)} ;;" for one in node.commands)
    return _GROUP.format(
        function=_function(node),
        own=own,
        specs=_lines([*_options(node), "'1: :->command'", "'*:: :->rest'"]),
        commands="\n".join(f"            {one}" for one in commands),
        arms="\n".join(arms),
    )


def _command(node: CommandNode) -> str:
    arguments = (quote(_argument(place, one)) for place, one in enumerate(node.arguments, start=1))
    specs = _lines([*_options(node), *arguments])
    return f"{_function(node)}() {{\n    _arguments -s -S :{specs}\n}}\n"


def _lines(specs: list[str]) -> str:
    return "".join(f" \\\n        {spec}" for spec in specs)


def _options(node: CommandNode) -> list[str]:
    return [quote(spec) for option in node.options for spec in _specs(option)]


def _specs(option: CommandOption) -> Iterator[str]:
    once = "*" if option.repeats else f"({' '.join(option.names)})"
    for name in option.names:
        described = f"[{_escaped(option.help)}]"
        if option.placeholder is None:
            yield f"{once}{name}{described}"
        else:
            joined = "=" if name.startswith("--") else "+"
            yield f"{once}{name}{joined}{described}:{option.placeholder}:{_action(option.values)}"


def _argument(place: int, argument: CommandArgument) -> str:
    where = "*" if argument.repeats else str(place)
    return f"{where}:{_escaped(argument.placeholder)}:{_action(argument.values)}"


def _action(values: Values) -> str:
    if values.live:
        return f"_harpoon_live {values.live}"
    if values.paths:
        return "_files"
    return f"({' '.join(values.choices)})"


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\[]:" else one for one in text)


_HEAD = """\
#compdef harpoon
# zsh completion for harpoon. Made by .ci/generate; changes here are lost.
# Commands and options are offered without starting a process; lease ids, pools and models ask harpoon.

# Called with options for compadd and the kind of value; compadd quotes what it inserts.
_harpoon_live() {
    local -a found
    [[ $program == */* && -x $program ]] || local program=harpoon
    found=("${(@f)$("$program" _complete $argv[-1] 2>/dev/null </dev/null)}")
    found=("${(@)found:#}")
    compadd "${(@)argv[1,-2]}" -a found
}

"""

_GROUP = """\
{function}() {{
    local curcontext=$curcontext state line{own}
    local -A opt_args
    local -a commands
    _arguments -C -s -S :{specs} && return
    case $state in
    (command)
        commands=(
{commands}
        )
        _describe -t commands command commands
        ;;
    (rest)
        case $words[1] in
{arms}
        esac
        ;;
    esac
}}
"""

_TAIL = """
if [[ $funcstack[1] == _harpoon ]]; then
    _harpoon "$@"
else
    compdef _harpoon harpoon
fi
"""
