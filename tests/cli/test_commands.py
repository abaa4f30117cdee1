"""What the commands that lease nothing say: config, doctor, help, sandbox, the common options."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tomllib

import pytest

from harpoon_cli import __version__
from harpoon_cli.cli.app import command_line_of, command_names
from harpoon_cli.errors import Exit
from tests.cli.rig import SANDBOX_NOTE, Operator
from tests.sandbox.harness import KEY
from tests.servers import PATIENCE_S

ALL_COMMANDS = [*command_names()]
GROUPS = {
    "completion": ["install", "show"],
    "config": ["init", "path", "set", "show", "validate"],
    "sandbox": ["pull", "reset", "serve", "status", "stop"],
}
LEAVES = [
    [name, *rest]
    for name in ALL_COMMANDS
    for rest in ([[sub] for sub in GROUPS[name]] if name in GROUPS else [[]])
]


def test_help_lists_every_command_with_its_line(harpoon: Operator) -> None:
    out = " ".join(harpoon("--help").out.split())
    for name in ALL_COMMANDS:
        assert f"{name} {command_line_of(name)}" in out


def test_without_a_command_the_help_is_shown(harpoon: Operator) -> None:
    assert harpoon() == harpoon("--help")


@pytest.mark.parametrize("line", [*LEAVES, *([name] for name in GROUPS)], ids=" ".join)
def test_every_command_has_examples_in_its_help(harpoon: Operator, line: list[str]) -> None:
    ran = harpoon(*line, "--help")
    assert ran.status == 0
    assert f"harpoon {' '.join(line)}" in ran.out.split("Examples:")[1]


def test_the_version_is_told(harpoon: Operator) -> None:
    assert harpoon("--version").out == f"harpoon {__version__}\n"


def test_every_exit_status_is_explained(harpoon: Operator) -> None:
    entries = harpoon("help", "exit-codes", "-o", "json").data["entries"]
    assert [(int(one["name"]), one["meaning"]) for one in entries] == [(int(s), s.meaning) for s in Exit]


def test_settings_are_shown_with_their_origin_and_without_the_key(live: Operator) -> None:
    ran = live("config", "show", "--origin")
    assert KEY not in ran.out + ran.err
    assert "platform.api_key\t***\tenvironment HOSTED_AI_API_KEY\n" in ran.out
    assert re.search(r"^models\.qwen-30b\.tflops\t9\t.*config\.toml", ran.out, re.MULTILINE)


def test_a_new_configuration_file_is_private_whole_and_valid(harpoon: Operator) -> None:
    written = harpoon("config", "init", "-q").out.strip()
    assert written == str(harpoon.config_file)
    assert stat.S_IMODE(harpoon.config_file.stat().st_mode) == 0o600
    assert tomllib.loads(harpoon.config_file.read_text()) is not None
    assert harpoon("config", "validate").status == 0
    assert harpoon("config", "init").status == 3


def test_a_setting_that_is_set_holds(harpoon: Operator) -> None:
    assert harpoon("config", "set", "lease.ttl_s", "30m").status == 0
    assert harpoon("allocate", "-m", "gemma-2b", "--dry-run", "-o", "json").data["ttl_s"] == 1800


def test_a_setting_that_does_not_exist_is_refused_with_the_nearest(harpoon: Operator) -> None:
    ran = harpoon("config", "set", "lease.tttl_s", "30m")
    assert ran.status in (2, 3)
    assert "lease.ttl_s" in ran.err
    assert not harpoon.config_file.exists()


def test_the_key_is_not_written_by_config_set(harpoon: Operator) -> None:
    ran = harpoon("config", "set", "platform.api_key", "sk-very-secret")
    assert ran.status != 0
    assert "sk-very-secret" not in ran.out + ran.err
    assert "api_key_file" in ran.err


def test_doctor_finds_a_good_platform_good(live: Operator) -> None:
    findings = {one["check"]: one for one in live("doctor", "-o", "json").data["findings"]}
    assert list(findings) == [
        "configuration", "endpoint", "key", "retries", "files", "leases", "breaker",
        "dns", "health", "pools", "model", "served", "connection", "reuse", "clock",
    ]  # fmt: skip
    assert [name for name, one in findings.items() if one["verdict"] != "ok"] == ["served"]
    assert findings["served"]["verdict"] == "skipped"


def test_doctor_doubts_a_platform_that_has_nothing_of_what_is_asked(live: Operator) -> None:
    live.environ["HOSTED_AI_BASE_URL"] += "/elsewhere"
    findings = {one["check"]: one for one in live("doctor", "-o", "json").data["findings"]}
    assert findings["platform"]["verdict"] == "warning"
    assert "platform.base_url" in findings["platform"]["fix"]


def test_doctor_names_open_leases_and_a_wrong_key(live: Operator) -> None:
    live("allocate", "-m", "gemma-270m")
    live.environ["HOSTED_AI_API_KEY"] = "another-key"
    ran = live("doctor", "-o", "json")
    findings = {one["check"]: one for one in ran.data["findings"]}
    assert ran.status == 4
    assert findings["leases"]["fix"] == "harpoon leases, then harpoon release --overdue"
    for cause in ("HOSTED_AI_API_KEY", "expired", "IP allow-list"):
        assert cause in findings["pools"]["fix"]


def test_the_sandbox_status_says_who_would_answer(harpoon: Operator) -> None:
    data = harpoon("sandbox", "status", "-o", "json").data
    assert (data["answers"], data["model"], data["live_leases"]) == ("simulated", None, 0)
    harpoon("allocate", "-m", "gemma-2b")
    assert harpoon("sandbox", "status", "-o", "json").data["live_leases"] == 1


def test_the_sandbox_is_reset_only_by_force_while_leases_live(harpoon: Operator) -> None:
    harpoon("allocate", "-m", "gemma-2b")
    assert harpoon("sandbox", "reset").status == 1
    assert harpoon("sandbox", "reset", "--force").status == 0
    assert harpoon("pools", "-o", "json").data["pools"][0]["pool"]["free_slices"] == 8


def test_tsv_is_what_a_pipe_gets(live: Operator) -> None:
    ran = live("pools")
    assert ran.out == live("pools", "-o", "tsv").out
    header, row = ran.out.splitlines()
    assert header.split("\t")[:3] == ["pool", "gpu", "slices"]
    assert row.split("\t")[:3] == ["pool", "Card", "4/4"]


def test_more_is_said_with_v_and_every_call_with_vv(live: Operator) -> None:
    assert "GET /v1/pools" not in live("pools", "-v").err
    assert "GET /v1/pools -> 200 in " in live("pools", "-vv").err
    assert KEY not in live("infer", "Hi", "-vv").err


def test_quiet_leaves_only_what_was_asked_for(harpoon: Operator) -> None:
    assert harpoon("pools", "-q").err == ""
    assert harpoon("pools").err == SANDBOX_NOTE


def test_plain_http_beyond_loopback_is_named_by_v(harpoon: Operator) -> None:
    harpoon.configure("[platform]\nbase_url = 'http://platform.invalid'\ninsecure_http = true\n")
    harpoon.environ["HOSTED_AI_API_KEY"] = "k-1234567"
    ran = harpoon("pools", "-v")
    assert ran.status == 7
    assert "insecure_http: what is sent to http://platform.invalid can be read on the way" in ran.err


def test_an_existing_openai_server_needs_no_lease(harpoon: Operator) -> None:
    harpoon.configure("[platform]\nbase_url = 'http://127.0.0.1:9/v1'\ncontrol = 'static'\nauth = 'none'\n")
    data = harpoon("leases", "-o", "json").data
    assert (data["platform_lists"], data["leases"]) == (False, [])
    ran = harpoon("allocate", "-m", "gemma-2b")
    assert (ran.status, "there is nothing to lease" in ran.err) == (1, True)


def test_a_platform_that_cannot_be_asked_is_not_said_to_list_no_leases(harpoon: Operator) -> None:
    harpoon.environ |= {"HOSTED_AI_BASE_URL": "http://127.0.0.1:9", "HOSTED_AI_API_KEY": "k-1234567"}
    ran = harpoon("leases", "-o", "json")
    assert (ran.status, ran.data["platform_lists"]) == (7, None)
    assert "this platform could not be asked: these are our ledger's alone" in ran.json["notes"]


def test_watching_without_a_terminal_prints_json_lines_until_a_signal(live: Operator) -> None:
    line = [sys.executable, "-m", "harpoon_cli", "pools", "--watch", "--interval", "100ms", "-o", "json"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(live.home), **live.environ}
    with subprocess.Popen(
        line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        snapshots = [json.loads(ran.stdout.readline()) for _ in range(3)]
        ran.send_signal(signal.SIGINT)
        _, err = ran.communicate(timeout=PATIENCE_S)
    assert [one["data"]["pools"][0]["pool"]["id"] for one in snapshots] == ["pool"] * 3
    assert (ran.returncode, err) == (130, "error: stopped by SIGINT; nothing of this command is held\n")


@pytest.mark.parametrize("by_variable", [False, True])
def test_the_file_that_is_named_is_the_one_that_is_set(harpoon: Operator, by_variable: bool) -> None:
    named = harpoon.cwd / "named"
    named.mkdir()
    if by_variable:
        harpoon.environ["HARPOON_CONFIG"] = "named"
    options = () if by_variable else ("--config", "named")
    assert harpoon("config", "init", *options).status == 0
    ran = harpoon("config", "set", "lease.ttl_s", "30m", *options, "-o", "json")
    assert ran.data["path"] == str(named / "config.toml")
    dry = harpoon("allocate", "-m", "gemma-2b", "--dry-run", *options, "-o", "json")
    assert dry.data["ttl_s"] == 1800
    assert not harpoon.config_file.exists()


def test_a_password_that_is_set_is_not_echoed(harpoon: Operator) -> None:
    ran = harpoon("config", "set", "http.proxy", "http://u:hunter2@proxy.corp:3128")
    assert (ran.status, "***@proxy.corp" in ran.out) == (0, True)
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('[platform]\ncontrol = "seed_v9"', "there is no control plane 'seed_v9'"),
        ('[platform]\ninference = "smoke"', "there is no data plane 'smoke'"),
        ('[output]\nformat = "yaml"', "there is no output format 'yaml'"),
    ],
)
@pytest.mark.parametrize("configured", [False, True])
def test_validate_finds_names_that_nothing_answers_to(
    harpoon: Operator, setting: str, message: str, configured: bool
) -> None:
    if configured:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": "https://api.hosted.ai", "HOSTED_AI_API_KEY": KEY}
    harpoon.configure(setting + "\n")
    ran = harpoon("config", "validate")
    assert (ran.status, message in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ('small = "gema-270m"', "routing.small: there is no model 'gema-270m'; nearest: gemma-270m"),
        ('large = "none-such"', "routing.large: there is no model 'none-such'"),
        ('allow = ["gemma-270m", "gwen-30b"]', "routing.allow: there is no model 'gwen-30b'"),
        ('deny = ["gwen-30b"]', "routing.deny: there is no model 'gwen-30b'"),
    ],
)
def test_validate_finds_models_that_routing_names_and_nobody_knows(
    harpoon: Operator, setting: str, named: str
) -> None:
    harpoon.configure(f"[routing]\n{setting}\n")
    ran = harpoon("config", "validate")
    assert ran.status == 3
    assert f"config.toml line 2: {named}" in ran.err
    assert "hint: name one of harpoon models, or describe it in [models." in ran.err


def test_validate_finds_every_model_that_nobody_knows_and_takes_the_operators_own(harpoon: Operator) -> None:
    harpoon.configure('[routing]\nsmall = "mine"\nlarge = "yours"\n[models.mine]\nvram_gb = 4\ntflops = 2\n')
    ran = harpoon("config", "validate", "-o", "json")
    assert [error["code"] for error in ran.json["errors"]] == ["configuration"]
    assert "routing.large" in ran.json["errors"][0]["message"]


def test_validate_finds_a_model_s_own_endpoint_that_may_not_be_used(harpoon: Operator) -> None:
    harpoon.configure(
        '[platform]\nbase_url = "http://127.0.0.1:1"\ncontrol = "static"\nauth = "none"\n'
        '[models.qwen-30b]\ninference_url = "http://gpu.example.com/v1"\n'
    )
    ran = harpoon("config", "validate")
    assert (ran.status, "models.qwen-30b.inference_url is plain http" in ran.err) == (3, True)


@pytest.mark.parametrize("name", ["a pool", "a\tpool", "", "p" * 201])
def test_validate_finds_a_pool_s_id_that_cannot_be_one(harpoon: Operator, name: str) -> None:
    harpoon.configure(f"[platform]\npool_id = {json.dumps(name)}\n")
    ran = harpoon("config", "validate")
    assert ran.status == 3
    assert "platform.pool_id must be a pool's id, without spaces" in ran.err


def test_validate_finds_a_certificate_that_cannot_be_used(harpoon: Operator) -> None:
    harpoon.environ |= {"HOSTED_AI_BASE_URL": "https://api.hosted.ai", "HOSTED_AI_API_KEY": KEY}
    harpoon.configure('[http]\nca_bundle = "config.toml"\n')
    ran = harpoon("config", "validate")
    assert (ran.status, "http.ca_bundle" in ran.err) == (3, True)


def test_a_served_sandbox_prints_lines_that_a_shell_can_run(harpoon: Operator) -> None:
    home = harpoon.home / "it's a $(home)"
    home.mkdir()
    command = [sys.executable, "-m", "harpoon_cli", "sandbox", "serve"]
    server = subprocess.Popen(
        command,
        env=os.environ | {"HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server:
        assert server.stdout is not None
        lines = server.stdout.readline() + server.stdout.readline()
        server.send_signal(signal.SIGTERM)
    script = f'{lines}printf %s "$HOSTED_AI_API_KEY"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    [key_file] = [one for one in (home / ".local/state/harpoon/sandbox").iterdir() if "key" in one.name]
    assert told.stdout == key_file.read_text().strip() != ""
