"""The engine's own process: `python -P -m harpoon_cli.sandbox.engine_process`, its order as JSON on stdin.

Runs llama.cpp's server on a random loopback port until nobody has asked for it for the order's idle time and
no answer is being made, or until its state file is gone or another's. Started by `engine`, never by hand.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

from harpoon_cli.sandbox.engine_state import EngineFiles, EngineOrder, write_state
from harpoon_cli.sandbox.locks import try_lock

LOOK_S = 0.25
PREDECESSOR_S = 15.0
"""How long an engine that is on its way out is waited for: two would fill the memory."""

ASK_S = 5.0
LOG_CAP_BYTES = 1024 * 1024


def main() -> None:
    order = EngineOrder(**json.load(sys.stdin))
    files = EngineFiles(Path(order.directory))
    _hold_alive(files)
    # It serves for as long as it is referred to.
    _server, address = _serve(order)
    mine = write_state(files, order, address)
    _watch(files, order, address, mine)
    # Not through the server's own end: it may be in the middle of a batch that nobody waits for.
    os._exit(0)


def _hold_alive(files: EngineFiles) -> None:
    """Take the lock that says an engine lives, and keep it to the end of the process."""
    gives_up_at = time.monotonic() + PREDECESSOR_S
    while (descriptor := try_lock(files.alive)) is None:
        if time.monotonic() > gives_up_at:
            sys.exit("another engine still runs")
        time.sleep(LOOK_S)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())


def _serve(order: EngineOrder) -> tuple[object, str]:
    """Start llama.cpp's server; it and its address."""
    # Only here: this package is an extra, and only this process has it loaded.
    import xllamacpp  # type: ignore[import-untyped]  # it ships no types

    parameters = xllamacpp.CommonParams()
    parameters.model.path = order.model_path
    parameters.model_alias = {order.model_name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [order.key]
    parameters.ui = False
    parameters.n_ctx = order.context_tokens
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = order.threads
    parameters.cpuparams_batch.n_threads = order.threads
    server = xllamacpp.Server(parameters)
    return server, str(server.listening_address)


def _watch(files: EngineFiles, order: EngineOrder, address: str, mine: int) -> None:
    """Return when this engine should end: the state file with the inode `mine` is gone by then."""
    while True:
        time.sleep(LOOK_S)
        _bound_log()
        try:
            found = files.state.stat()
        except OSError:
            return
        if found.st_ino != mine:
            return
        if time.time() - found.st_mtime > order.idle_s and _retire(files, order, address):
            return


def _retire(files: EngineFiles, order: EngineOrder, address: str) -> bool:
    """Give up the state file, unless somebody is looking for an engine, or is being answered, right now."""
    turn = try_lock(files.turn)
    if turn is None:
        return False
    try:
        if _is_answering(order, address):
            os.utime(files.state)
        if time.time() - files.state.stat().st_mtime <= order.idle_s:
            return False
        files.state.unlink()
    except OSError:
        return True
    finally:
        os.close(turn)
    return True


def _is_answering(order: EngineOrder, address: str) -> bool:
    request = urllib.request.Request(  # noqa: S310 - the address of the server in this process
        f"{address}/slots", headers={"Authorization": f"Bearer {order.key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:  # noqa: S310 - as above
            return any(slot["is_processing"] for slot in json.load(answer))
    except TimeoutError:
        # It answers between two batches: one that takes this long is at work.
        return True


def _bound_log() -> None:
    if os.fstat(sys.stderr.fileno()).st_size > LOG_CAP_BYTES:
        os.ftruncate(sys.stderr.fileno(), 0)


if __name__ == "__main__":
    main()
