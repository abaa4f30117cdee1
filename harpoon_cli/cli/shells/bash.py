"""The completion script for bash, 3.2 or newer; it needs no bash-completion package to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from shlex import quote

from harpoon_cli.cli.shells import data_dir, valued_options
from harpoon_cli.cli.tree import CommandArgument, CommandNode, Values

FILE = "harpoon.bash"


def place(environ: Mapping[str, str]) -> Path:
    return data_dir(environ) / "bash-completion" / "completions" / "harpoon"


def next_step(path: Path) -> str:
    return (
        "open a new shell; where the package bash-completion is not installed, add this line to ~/.bashrc: "
        f"source {quote(str(path))}"
    )


def script(root: CommandNode) -> str:
    """The whole script; the same tree gives the same text."""
    return _SCRIPT.format(
        paths=" | ".join(_below(node) for node in root.walk() if node.path),
        valued=" | ".join(sorted(valued_options(root))),
        values="\n".join(_values_of_options(root)),
        options="\n".join(_options(node) for node in root.walk()),
        words="\n".join(_words(node) for node in root.walk() if node.commands or node.arguments),
    )


def _below(node: CommandNode) -> str:
    return f'"{" ".join(node.path[:-1])}/{node.path[-1]}"'


def _values_of_options(root: CommandNode) -> Iterator[str]:
    """One arm of a case for all the options that take the same values."""
    offers = sorted((_offer(option.values), name) for name, option in valued_options(root).items())
    for offer, names in groupby(offers, key=lambda pair: pair[0]):
        yield f"        {' | '.join(name for _, name in names)}) {offer} ;;"


def _offer(values: Values) -> str:
    if values.live:
        return f"_harpoon_live {values.live}"
    if values.paths:
        return "_harpoon_paths"
    return f"_harpoon_offer {' '.join(map(quote, values.choices))}" if values.choices else ":"


def _options(node: CommandNode) -> str:
    names = " ".join(name for option in node.options for name in option.names)
    return f'        "{node.name}") _harpoon_offer {names} ;;'


def _words(node: CommandNode) -> str:
    """What stands in each place after a command: its subcommands, or its arguments."""
    if node.commands:
        return f'        "{node.name}/0") _harpoon_offer {" ".join(one.path[-1] for one in node.commands)} ;;'
    return "\n".join(
        f"        {_position(node, place, argument)}) {_offer(argument.values)} ;;"
        for place, argument in enumerate(node.arguments)
    )


def _position(node: CommandNode, place: int, argument: CommandArgument) -> str:
    return f'"{node.name}/"*' if argument.repeats else f'"{node.name}/{place}"'


_SCRIPT = r"""# bash completion for harpoon. Made by .ci/generate; changes here are lost.
# Commands and options are offered without starting a process; lease ids, pools and models ask harpoon.

# Offer words that begin with what is typed, quoted so that the shell reads them as they are.
_harpoon_offer() {{
    local word quoted
    for word in "$@"; do
        printf -v quoted %q "$word"
        [[ $quoted == "$typed"* ]] && quoted=$head$quoted && COMPREPLY+=("${{quoted#"$settled"}}")
    done
}}

_harpoon_live() {{
    local program=${{COMP_WORDS[0]}} value
    [[ $program == */* && -x $program ]] || program=harpoon
    while IFS= read -r value; do
        _harpoon_offer "$value"
    done < <("$program" _complete "$1" 2>/dev/null </dev/null)
}}

_harpoon_paths() {{
    compopt -o default 2>/dev/null
}}

_harpoon() {{
    local line=${{COMP_LINE:0:COMP_POINT}} last=${{COMP_WORDS[COMP_CWORD]}}
    local typed="" head="" settled="" path="" option="" word
    local -i place=0
    local -a words
    COMPREPLY=()
    [[ $last == [\'\"]* ]] && return # nothing that is offered needs quotes
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        typed=${{words[${{#words[@]}} - 1]}}
        unset "words[${{#words[@]}}-1]"
    fi

    # Readline replaces only what follows the last "=" or ":"; what stands before it is settled.
    [[ $last == [=:]* ]] && last=""
    [[ $typed == *"$last" ]] && settled=${{typed%"$last"}}

    for word in "${{words[@]:1}}"; do
        if [[ -n $option ]]; then
            option=""
            continue
        fi
        case "$path/$word" in
        {paths})
            path="${{path:+$path }}$word"
            continue
            ;;
        esac
        case "$word" in
        {valued}) option=$word ;;
        -*) ;;
        *) place+=1 ;;
        esac
    done

    if [[ -z $option && $typed == --*=* ]]; then
        option=${{typed%%=*}}
        head="$option="
        typed=${{typed#*=}}
    fi
    if [[ -n $option ]]; then
        case "$option" in
{values}
        esac
        return
    fi
    if [[ $typed == -* ]]; then
        case "$path" in
{options}
        esac
        return
    fi
    case "$path/$place" in
{words}
    esac
}}

complete -F _harpoon harpoon
"""
