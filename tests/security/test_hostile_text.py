"""Whatever a platform, a file or the environment says: no terminal acts on it, and no letter is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harpoon_cli.cli.complete import complete
from harpoon_cli.errors import Exit, NoCapacity
from harpoon_cli.render import formats
from harpoon_cli.render.flow import Flow
from harpoon_cli.render.lines import error_lines
from harpoon_cli.render.outcome import Column, Facts, Outcome, Table, Text
from harpoon_cli.render.printout import Printout
from harpoon_cli.render.safe import visible
from harpoon_cli.render.terminal import Channel, Terminal
from tests.cli.rig import Operator
from tests.security.harmless import POWERS, harmful
from tests.security.platform import HostilePlatform, hosted

ALL_POWERS = " ".join(POWERS.values())
FORMATS = {name: formats.load(name) for name in formats.names()}
hostile_texts = st.text(
    st.characters(codec=None)
    | st.sampled_from([chr(code) for code in range(0xA1)])
    | st.sampled_from("\x1b\x9b\u202e\u2066\u200b\u200d\ud800\udfff\U000e0041\ufeff[]\\\u0645"),
    max_size=16,
)


def shown(text: str, name: str, terminal: Terminal) -> str:
    """An outcome with the text in each kind of view, in a format."""
    views: list[Table | Facts | Text] = [
        Table([Column("a", "A"), Column("b", "B")], [[text, "b"]]),
        Facts([("label", text)]),
    ]
    outcome = Outcome(data={text: [text]}, views=views, ids=[text])
    return FORMATS[name](Printout(outcome, "pools", "sandbox", terminal))


@settings(max_examples=10_000, deadline=None)
@given(hostile_texts)
def test_ten_thousand_random_texts_come_out_of_every_format_harmless(text: str) -> None:
    plain = Terminal()
    line = visible(text, newlines=False)
    assert "\n" not in line
    assert "\t" not in line
    outputs = {name: shown(text, name, plain) for name in ("ids", "tsv", "json")}
    outputs["error"] = "\n".join(error_lines([NoCapacity(text, hint=text)], plain.err))
    outputs["text"] = plain.out.document(text)
    assert {name: found for name, output in outputs.items() if (found := harmful(output))} == {}
    assert outputs["ids"] == f"{line}\n"
    assert outputs["tsv"] == f"a\tb\n{line}\tb\n\nlabel\t{line}\n"
    assert json.loads(outputs["json"])["data"] == json.loads(json.dumps({text: [text]}))
    assert outputs["error"] == f"error: {line}" + (f"\nhint: {line}" if text else "")


@settings(max_examples=300, deadline=None)
@given(hostile_texts)
def test_a_table_of_random_texts_is_harmless_and_loses_no_letter(text: str) -> None:
    channel = Channel(is_tty=True, colour=True)
    output = shown(text, "table", Terminal(out=channel, err=channel, width=60))
    assert harmful(output) == []
    letters = "".join(visible(text, newlines=False).split())
    assert letters in "".join(output.split()) or len(letters) > 30


@settings(max_examples=300, deadline=None)
@given(st.lists(hostile_texts.filter(bool), max_size=6))
def test_an_answer_in_pieces_is_as_harmless_as_it_is_whole(pieces: list[str]) -> None:
    flow, channel = Flow(), Channel()
    output = "".join(flow.take(piece, channel) for piece in pieces) + flow.rest(channel)
    assert output == visible("".join(pieces), newlines=True)
    assert harmful(output) == []


COMMANDS = (
    "pools",
    "pools --fits gemma-270m",
    "infer Hello",
    "infer Hello --no-stream --explain -v",
    "allocate -m gemma-270m -v",
    "leases",
    "release --all -v",
    "doctor -vv",
    "route-explain Hello",
)


def assert_harmless(operator: Operator, command: str) -> None:
    ran = operator(*command.split())
    assert harmful(ran.out) == [], command
    assert harmful(ran.err) == [], command
    assert ran.status in set(Exit), command
    assert "a bug in harpoon" not in ran.err, command
    if "json" in command:
        assert ran.json["exit"] == ran.status


@pytest.mark.parametrize("output", FORMATS)
def test_whole_command_lines_show_a_hostile_platform_without_its_power(
    victim: Operator, hostile: HostilePlatform, output: str
) -> None:
    hostile.text = ALL_POWERS
    for command in COMMANDS:
        assert_harmless(victim, f"{command} -o {output}")
    hostile.status = 409
    for command in ("pools", "infer Hello", "doctor"):
        assert_harmless(victim, f"{command} -o {output}")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_texts)
def test_random_texts_through_whole_command_lines_are_harmless(
    victim: Operator, hostile: HostilePlatform, text: str
) -> None:
    hostile.text = text
    for command in ("pools -o table", "infer Hello", "infer Hello -o json"):
        assert_harmless(victim, command)


def test_a_name_is_in_the_json_as_the_platform_gave_it(victim: Operator, hostile: HostilePlatform) -> None:
    for text in POWERS.values():
        hostile.text = text
        ran = victim("pools", "-o", "json")
        assert ran.out.isascii() or harmful(ran.out) == []
        # A pair of surrogates is one character in JSON, whoever put them beside each other.
        assert ran.data["pools"][0]["pool"]["name"] == json.loads(json.dumps(text))


@pytest.mark.parametrize("power", POWERS)
def test_an_answer_that_comes_letter_by_letter_has_no_power(
    victim: Operator, hostile: HostilePlatform, power: str
) -> None:
    hostile.text = POWERS[power]
    ran = victim("infer", "Hello")
    assert ran.status == 0
    assert ran.out.rstrip("\n") == visible(POWERS[power], newlines=True).rstrip("\n")
    assert harmful(ran.out + ran.err) == []


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 500 \x1b]52;c;cHduZWQ=\x07\xc2\x9b2J\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: \x1b[2J\xc2\x9b/\xe2\x80\xaejson\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: \xe2\x80\xaetext/\x9b\xff\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 429 \xe2\x80\xae\r\nRetry-After: \xc2\x9b2J\r\nDate: \x9b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\x9b\xe2\x80\xae/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: \x9b\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n",
        b"\x1b]0;owned\x07\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\x1b[2J: \x1b[2J\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x1b[2J\xc2\x9b\xff ",
        b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"\xc2\x9b\xe2\x80\xae": NaN} ',
    ],
    ids=["reason", "type", "latin type", "dates", "location", "encoding", "no HTTP", "name", "body", "field"],
)
@pytest.mark.parametrize("output", ["tsv", "json", "table"])
def test_no_head_of_an_answer_has_power(
    victim: Operator, hostile: HostilePlatform, head: bytes, output: str
) -> None:
    hostile.raw = head
    for command in ("pools -vv", "doctor -vv", "infer Hello"):
        assert_harmless(victim, f"{command} -o {output}")


ID = "po\u202eol-\x1b[2J"


@pytest.mark.parametrize("output", FORMATS)
def test_an_id_with_control_characters_is_refused_in_a_harmless_sentence(
    victim: Operator, hostile: HostilePlatform, output: str
) -> None:
    hostile.ids = ID
    for command in ("pools", "allocate -m gemma-270m", "infer Hello", "leases", "release --all"):
        assert_harmless(victim, f"{command} -o {output}")


def test_tab_offers_no_candidate_that_hides_something(
    victim: Operator,
    hostile: HostilePlatform,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["good", "schön", "po\u3164ol", "po\U000e0100ol", "po\u034fol", "-rf", "~root", "po\u202eol"]
    cache = Path(victim.home, ".cache", "harpoon")
    cache.mkdir(parents=True)
    (cache / "pools.txt").write_text("".join(f"{name}\n" for name in names))
    victim.configure(f"[models.{json.dumps('mo' + chr(0x3164))}]\nvram_mb = 1\n")
    for kind in ("pools", "models", "leases"):
        assert complete([kind]) == 0
    offered = capfdbinary.readouterr().out.decode().splitlines()
    assert offered[:2] == ["good", "schön"]
    assert harmful("\n".join(offered)) == []
    assert not [name for name in offered if name.startswith("mo")]


@pytest.mark.parametrize("power", POWERS)
def test_what_the_environment_and_the_command_line_say_is_shown_without_power(
    harpoon: Operator, power: str, tmp_path: Path
) -> None:
    text = POWERS[power].replace("\0", "").replace("\ud83d", "").replace("\ude00", "")
    for name in ("HARPOON_LEASE__TTL_S", "HOSTED_AI_BASE_URL", "HARPOON_OUTPUT__FORMAT", "HARPOON_NO_SUCH"):
        harpoon.environ = {name: text}
        for command in ("config validate", "config show --origin", "pools"):
            assert_harmless(harpoon, command)
    harpoon.environ = {}
    for line in (
        ["infer", "Hi", "-m", text],
        ["infer", "-f", text],
        ["pools", "--profile", text],
        [text],
        ["release", text],
        ["pools", f"--{text}"],
        ["pools", "--config", text],
        ["help", text],
        ["config", "set", text, text],
        ["allocate", "--vram", text],
        ["completion", "show", text],
    ):
        ran = harpoon(*line)
        assert harmful(ran.out + ran.err) == []
        assert ran.status in set(Exit) - {Exit.DONE}
        assert "a bug in harpoon" not in ran.err


def test_names_of_files_and_models_are_shown_without_power(
    harpoon: Operator, hostile: HostilePlatform
) -> None:
    name = "conf\x1b[2J\u202e\n.toml"
    named = harpoon.cwd / name
    with hosted(hostile) as url:
        model = json.dumps("mo\u202edel\x7f[red]").replace("\x7f", "\\u007f")
        named.write_text(f'[platform]\nbase_url = "{url}"\nauth = "none"\n[models.{model}]\nvram_mb = 100\n')
        for output in FORMATS:
            for command in ("models", "doctor", "config show --origin", "config path", "config validate"):
                ran = harpoon(*command.split(), "--config", str(named), "-o", output)
                assert harmful(ran.out + ran.err) == [], command
                assert "a bug in harpoon" not in ran.err
