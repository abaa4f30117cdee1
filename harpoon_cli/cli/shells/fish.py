"""The completion script for fish, 3.1 or newer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harpoon_cli.cli.tree import CommandArgument, CommandNode, CommandOption, Values
from harpoon_cli.settings.paths import config_dir

FILE = "harpoon.fish"


def place(environ: Mapping[str, str]) -> Path:
    return config_dir(environ).parent / "fish" / "completions" / FILE


def next_step(path: Path) -> str:
    return "nothing: the next fish that starts reads it"


def script(root: CommandNode) -> str:
    """The whole script; the same tree gives the same text."""
    groups = [node.name for node in root.commands if node.commands]
    lines = [line for node in root.walk() for line in _lines(node)]
    return _SCRIPT.replace("GROUPS", " ".join(groups)) + "".join(
        f"complete -c harpoon {one}\n" for one in lines
    )


def _lines(node: CommandNode) -> Iterator[str]:
    at = f"-n {_quoted(' '.join(['__harpoon_at', *node.path]))}"
    for command in node.commands:
        yield f"{at} -a {command.path[-1]} -d {_quoted(command.line)}"
    for place, argument in enumerate(node.arguments):
        if words := _words(argument.values):
            yield f"-n {_quoted(_argument_at(node, place, argument))} {words}"
    for option in node.options:
        yield f"{at} {_option(option)}"


def _argument_at(node: CommandNode, place: int, argument: CommandArgument) -> str:
    at = " ".join(["__harpoon_at", *node.path])
    return at if argument.repeats else f"{at}; and __harpoon_words {len(node.path) + place}"


def _option(option: CommandOption) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    described = f"{names} -d {_quoted(option.help)}"
    return described if option.placeholder is None else f"{described} -r {_words(option.values)}".rstrip()


def _words(values: Values) -> str:
    if values.live:
        return f"-f -a '(__harpoon_live {values.live})'"
    if values.paths:
        return "-F"
    return f"-f -a {_quoted(' '.join(values.choices))}" if values.choices else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPT = """\
# fish completion for harpoon. Made by .ci/generate; changes here are lost.
# Commands and options are offered without starting a process; lease ids, pools and models ask harpoon.

# The words before the cursor that are no options, without the program.
function __harpoon_before
    string match --invert -- '-*' (commandline -opc)[2..-1]
end

# Is this the command that is being typed?
function __harpoon_at
    set -l words (__harpoon_before)
    if contains -- "$words[1]" GROUPS
        test "$words[1..2]" = "$argv"
    else
        test "$words[1]" = "$argv"
    end
end

function __harpoon_words
    test (count (__harpoon_before)) -eq $argv[1]
end

function __harpoon_live
    set -l program (commandline -opc)[1]
    string match --quiet '*/*' -- $program
    and test -x $program
    or set program harpoon
    type --query $program
    and command $program _complete $argv[1] 2>/dev/null </dev/null
end

complete -c harpoon -f
"""
