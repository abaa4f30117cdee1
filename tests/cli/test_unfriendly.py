"""Unfriendly input: one to three lines, the right status, never a traceback, nothing leased."""

# ruff: noqa: E501 - the table of wrong lines reads better as one line each
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from fcntl import F_SETPIPE_SZ, fcntl, ioctl
from pathlib import Path
from termios import FIONREAD
from time import monotonic
from typing import IO

import pytest

from tests.cli.rig import Operator
from tests.servers import PATIENCE_S

HARPOON = [sys.executable, "-m", "harpoon_cli"]


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        (["infer", ""], 2, "the prompt is empty"),
        (["infer", "   \n"], 2, "the prompt is empty"),
        (["infer"], 2, "give one prompt: as an argument, as --file, or - for standard input"),
        (["infer", "Hi", "--file", "x"], 2, "give one prompt: as an argument, as --file, or - for standard input"),
        (["infer", "--file", "missing.txt"], 2, "the prompt file missing.txt cannot be read: No such file or directory"),
        (["infer", "--file", "."], 2, "the prompt file . cannot be read: Is a directory"),
        (["infer", "a\0b"], 2, "the prompt holds NUL bytes: this is binary data, not text"),
        (["infer", "Hi", "--model", "gemma-207m"], 5, "there is no model 'gemma-207m'; nearest: gemma-270m, gemma-2b"),
        (["infer", "Hi", "--pool", "gpu-pool-9"], 5, "there is no pool gpu-pool-9"),
        (["infer", "Hi", "--lease", "alloc-9"], 5, "the platform knows no lease alloc-9"),
        (["infer", "Hi", "--max-tokens", "0"], 2, "Invalid value for '--max-tokens': 0 is not in the range x>=1"),
        (["infer", "Hi", "--max-cost", "free"], 2, "Invalid value for '--max-cost': 'free' is not an amount of money; write 0.50"),
        (["allocate"], 2, "say what to lease"),
        (["allocate", "-m", "qwen-30b", "--vram", "1GB"], 2, "a model already says how large the slice must be"),
        (["allocate", "--vram", "9000GB"], 6, "no pool could ever hold 9216000 MB and 0 TFLOPS; the most on one card is 81920 MB (gpu-pool-4) and 989 TFLOPS (gpu-pool-4)"),
        (["allocate", "--vram", "lots"], 2, "Invalid value for '--vram': 'lots' is not an amount of memory; write 20GB or 20480 (MB)"),
        (["allocate", "-m", "qwen-32b", "--pool", "gpu-pool-1"], 6, "pool gpu-pool-1 cannot hold qwen-32b (32768 MB and 40 TFLOPS): VRAM: needs 32768 MB, a card has 24576"),
        (["allocate", "-m", "gemma-2b", "--ttl", "-5m"], 2, None),
        (["allocate", "-m", "gemma-2b", "--ttl", "99999999999d"], 2, "Invalid value for '--ttl': a duration is longer than nothing and at most 30 days"),
        (["allocate", "-m", "gemma-2b", "--ttl", "0.4"], 2, "Invalid value for '--ttl': leases are counted in whole seconds"),
        (["allocate", "--vram", "1GB", "--tflops", "nan"], 2, "Invalid value for '--tflops': 'nan' is not a usable number"),
        (["infer", "Hi", "--temperature", "nan"], 2, "Invalid value for '--temperature': 'nan' is not a usable number"),
        (["infer", "Hi", "--temperature", "3"], 2, "Invalid value for '--temperature': a temperature is a number from 0 to 2"),
        (["release"], 2, "say what to release"),
        (["release", "--all", "--overdue"], 2, "these ways to say what to release exclude each other"),
        (["pools", "-o", "yaml"], 2, "there is no output format 'yaml'"),
        (["polls"], 2, "No such command 'polls'. Did you mean 'pools'?"),
        (["pools", "--no-such-option"], 2, "No such option: --no-such-option (Possible options: --no-color)"),
        (["pools", "--live"], 3, None),
        (["pools", "--profile", "nowhere"], 3, None),
        (["pools", "--config", "missing.toml"], 3, None),
        (["help", "nothing"], 2, "there is no help on 'nothing'"),
        (["sandbox", "pull", "--model-file", "missing.gguf"], 3, "cannot read the model file missing.gguf: No such file or directory"),
        (["sandbox", "serve", "--host", "0.0.0.0"], None, None),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)  # fmt: skip
def test_a_wrong_line_is_told_in_a_sentence(
    harpoon: Operator, line: list[str], status: int | None, message: str | None
) -> None:
    ran = harpoon(*line)
    assert ran.status == status if status is not None else ran.status > 0
    assert ran.out == ""
    said = [line for line in ran.err.splitlines() if not line.startswith("note: no endpoint")]
    assert 1 <= len(said) <= 3
    assert said[0].startswith("error: ")
    assert message is None or said[0] == f"error: {message}"
    assert all(line.startswith("hint: ") for line in said[1:])
    assert harpoon("leases", "-q").out == ""


def test_an_error_is_in_the_envelope_too(harpoon: Operator) -> None:
    ran = harpoon("infer", "Hi", "--model", "gemma-3", "-o", "json")
    assert (ran.json["status"], ran.json["exit"], ran.json["data"]) == ("error", 5, None)
    [error] = ran.json["errors"]
    assert (error["code"], error["exit"], error["hint"]) == ("no_such_model", 5, "harpoon models")


def test_a_line_that_is_not_understood_has_an_envelope_too(harpoon: Operator) -> None:
    ran = harpoon("pools", "--what", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (2, "usage")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00binary", "standard input is not UTF-8 text (byte 0)"),
        (b"", "the prompt is empty"),
        (b"x" * (10 * 1024 * 1024), "the prompt is longer than 4 MB"),
        (b"\xff" * (10 * 1024 * 1024), "the prompt is longer than 4 MB"),
    ],
    ids=["binary", "nothing", "10 MB", "10 MB of binary"],
)
def test_what_cannot_be_a_prompt_on_standard_input_is_refused(
    harpoon: Operator, content: bytes, message: str
) -> None:
    ran = harpoon("infer", "-", stdin=content)
    assert (ran.status, ran.err.splitlines()[0]) == (2, f"error: {message}")


def test_a_long_prompt_that_no_model_can_hold_is_refused_before_anything_is_leased(harpoon: Operator) -> None:
    ran = harpoon("infer", "-", stdin="word " * 500_000)
    assert ran.status == 6
    assert "context" in ran.err
    assert harpoon("leases", "-q").out == ""


@pytest.mark.parametrize(
    ("content", "status"),
    [("lease = [", 3), ("[lease]\nttl = 5\n", 3), ("[lease]\nttl_s = 'soon'\n", 3), ("\0\0\0", 3)],
    ids=["broken", "unknown key", "wrong type", "binary"],
)
def test_a_bad_configuration_file_is_named(harpoon: Operator, content: str, status: int) -> None:
    harpoon.configure(content)
    ran = harpoon("pools")
    assert (ran.status, ran.out) == (status, "")
    assert "config.toml" in ran.err
    assert len(ran.err.splitlines()) <= 3


def test_a_directory_for_a_configuration_file_is_named(harpoon: Operator) -> None:
    harpoon.config_file.mkdir(parents=True)
    ran = harpoon("pools")
    assert ran.status == 3
    assert "directory" in ran.err


def test_doctor_and_help_work_with_a_broken_configuration(harpoon: Operator) -> None:
    harpoon.configure("lease = [")
    assert harpoon("help", "exit-codes").status == 0
    assert harpoon("config", "path").status == 0
    ran = harpoon("doctor", "-o", "json")
    assert ran.status == 3
    assert ran.data["findings"][0]["verdict"] == "failed"


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"HOSTED_AI_API_KEY": "sk-secret-key-1"}, "URL"),
        ({"HOSTED_AI_BASE_URL": "https://api.hosted.ai"}, "key"),
    ],
    ids=["a key without a URL", "a URL without a key"],
)
def test_half_a_configuration_is_an_error_and_never_the_sandbox(
    harpoon: Operator, environ: dict[str, str], missing: str
) -> None:
    harpoon.environ |= environ
    ran = harpoon("pools")
    assert (ran.status, ran.out) == (3, "")
    assert missing in ran.err
    assert "sk-secret-key-1" not in ran.err


def test_a_platform_that_is_not_there_is_status_seven(harpoon: Operator) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    harpoon.environ |= {"HOSTED_AI_BASE_URL": f"http://127.0.0.1:{port}", "HOSTED_AI_API_KEY": "k-123456"}
    ran = harpoon("infer", "Hi")
    assert (ran.status, ran.out) == (7, "")
    assert ran.err.startswith(f"error: cannot reach http://127.0.0.1:{port}")
    assert "; harpoon doctor" in ran.err


def test_a_wrong_key_names_all_it_may_be(live: Operator) -> None:
    live.environ["HOSTED_AI_API_KEY"] = "not-the-key"
    ran = live("pools")
    assert ran.status == 4
    for cause in ("HOSTED_AI_API_KEY", "expired", "IP allow-list", "bearer"):
        assert cause in ran.err
    assert "not-the-key" not in ran.err


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONUTF8": "1"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HARPOON, "pools"], stdout=full, stderr=subprocess.PIPE, env=environment(tmp_path), text=True
        )
    assert done.returncode == 1
    assert "error: cannot write to standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_ends_infer_quietly_and_releases(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    line = f"{' '.join(HARPOON)} infer 'Why is the sky blue?' | head -c 3"
    done = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, text=True)
    assert (done.stdout, "Traceback" in done.stderr) == ("[si", False)
    left = subprocess.run([*HARPOON, "leases", "-q"], env=environ, capture_output=True, text=True)
    assert left.stdout == ""


def test_a_state_directory_that_cannot_be_made_is_named(harpoon: Operator) -> None:
    (harpoon.home / ".local").write_text("a file where a directory should be")
    ran = harpoon("allocate", "-m", "gemma-2b")
    assert (ran.status, ran.out) == (11, "")
    assert ran.err.splitlines()[-2].startswith("error: ")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_heard_while_standard_input_keeps_us_waiting(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    line = [*HARPOON, "infer", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        line, env=environment(tmp_path), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as waiting:
        assert waiting.stdin is not None
        waiting.stdin.write("Why is")
        waiting.stdin.flush()
        while _unread(waiting.stdin):
            assert waiting.poll() is None
        waiting.send_signal(number)
        assert waiting.wait(timeout=PATIENCE_S) == status


def _unread(pipe: IO[str]) -> int:
    """The bytes in a pipe that its reader has not taken yet."""
    return int.from_bytes(ioctl(pipe, FIONREAD, bytes(4)), sys.byteorder)


def test_a_prompt_may_come_through_a_pipe_in_pieces(tmp_path: Path) -> None:
    line = f"(printf 'Why is '; printf 'the sky blue?') | {' '.join(HARPOON)} route-explain - -o json"
    done = subprocess.run(["bash", "-c", line], env=environment(tmp_path), capture_output=True, text=True)
    whole = [*HARPOON, "route-explain", "Why is the sky blue?", "-o", "json"]
    assert (
        done.stdout == subprocess.run(whole, env=environment(tmp_path), capture_output=True, text=True).stdout
    )


def test_standard_input_that_is_closed_or_empty_is_said(tmp_path: Path) -> None:
    for stdin, message in (("<&-", "standard input is closed"), ("</dev/null", "the prompt is empty")):
        line = f"{' '.join(HARPOON)} infer - {stdin}"
        done = subprocess.run(["bash", "-c", line], env=environment(tmp_path), capture_output=True, text=True)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"error: {message}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "line", [["allocate", "-q", "-m", "gemma-2b"], ["infer", "Hi", "--keep", "-o", "json"]], ids=" ".join
)
def test_a_kept_lease_whose_id_could_not_be_written_is_told_on_stderr_with_what_ends_it(
    tmp_path: Path, line: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HARPOON, *line], stdout=full, stderr=subprocess.PIPE, env=environment(tmp_path), text=True
        )
    assert done.returncode == 9
    told, hinted = done.stderr.splitlines()[-1].split("harpoon ")
    assert told == "hint: "
    ended = subprocess.run(
        [*HARPOON, *hinted.split()], env=environment(tmp_path), capture_output=True, text=True
    )
    # What could not be told is also given back in the background, and either may come first.
    assert ended.returncode == 0 or "is over already: released at" in ended.stderr, ended.stderr
    left = subprocess.run(
        [*HARPOON, "leases", "-q"], env=environment(tmp_path), capture_output=True, text=True
    )
    assert (left.returncode, left.stdout) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", [["--version"], ["--help"], ["pools", "--help"]], ids=" ".join)
def test_help_on_a_full_disk_is_a_sentence(tmp_path: Path, line: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HARPOON, *line], stdout=full, stderr=subprocess.PIPE, env=environment(tmp_path), text=True
        )
    assert (done.returncode, done.stderr) == (1, "error: [Errno 28] No space left on device\n")


def test_a_working_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    line = f"mkdir gone && cd gone && rmdir ../gone && {' '.join(HARPOON)} pools"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "error: the working directory is gone")


def test_a_reader_that_does_not_read_keeps_no_signal_from_the_release(tmp_path: Path) -> None:
    """The pipe is full, so the first write of the answer blocks; TERM must end it and free the lease."""
    read, write = os.pipe()
    fcntl(write, F_SETPIPE_SZ, 4096)
    os.write(write, b"x" * 4096)
    with subprocess.Popen(
        [*HARPOON, "infer", "Why?", "-v"], stdout=write, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as blocked:
        assert blocked.stderr is not None
        said = next((line for line in blocked.stderr if b"ready" in line), b"")
        assert said, "it ended before the lease was ready"
        blocked.send_signal(signal.SIGTERM)
        _, err = blocked.communicate(timeout=PATIENCE_S)
    os.close(read)
    assert blocked.returncode == 143
    assert b"released: yes" in err


def _until_it_waits_to_write(process_id: int) -> None:
    ends_at = monotonic() + PATIENCE_S
    while "pipe_write" not in Path(f"/proc/{process_id}/wchan").read_text():
        assert monotonic() < ends_at, "it never came to write"


@pytest.mark.skipif(not Path("/proc/self/wchan").exists(), reason="needs Linux's /proc")
def test_a_signal_gives_back_a_lease_whose_id_nobody_reads(tmp_path: Path) -> None:
    read, write = os.pipe()
    fcntl(write, F_SETPIPE_SZ, 4096)
    os.write(write, b"x" * 4096)
    with subprocess.Popen(
        [*HARPOON, "allocate", "-m", "gemma-270m", "-v"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    ) as blocked:
        assert blocked.stderr is not None
        said = next((line for line in blocked.stderr if b"ready" in line), b"")
        assert said, "it ended before the lease was ready"
        _until_it_waits_to_write(blocked.pid)
        blocked.send_signal(signal.SIGINT)
        _, err = blocked.communicate(timeout=PATIENCE_S)
    os.close(read)
    assert blocked.returncode == 9
    assert b"could not be written; it is given back" in err
