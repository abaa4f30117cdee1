"""A platform that takes idempotency keys and ignores them: every repeat of an allocate is one more lease."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.rig import Operator

LEASES: dict[str, dict[str, object]] = {}


class Forgetful(BaseHTTPRequestHandler):
    """Gives a lease for every POST and closes the connection instead of answering."""

    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == "pools":
            self._answer(200, {"pools": [{"id": "p", "gpu_model": "Card"}]})
        elif name == "allocate":
            self._answer(200, {"allocations": list(LEASES.values()), "next_cursor": None})
        else:
            self._answer(
                *((200, LEASES[name]) if name in LEASES else (404, {"error": "gone", "code": "gone"}))
            )

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = f"lease-{len(LEASES) + 1}"
        LEASES[name] = {"id": name, "status": "active", "pool_id": "p", "metadata": asked["metadata"]}
        self.close_connection = True

    def do_DELETE(self) -> None:
        known = LEASES.pop(self.path.rpartition("/")[2], None)
        self._answer(200 if known else 404, known or {"error": "gone", "code": "gone"})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def forgetful(harpoon: Operator) -> Iterator[Operator]:
    LEASES.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    harpoon.environ |= {
        "HOSTED_AI_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        "HOSTED_AI_API_KEY": "k-12345678",
    }
    yield harpoon
    server.shutdown()
    server.server_close()


def test_of_several_leases_under_our_reference_one_is_kept_and_the_others_end(forgetful: Operator) -> None:
    ran = forgetful("allocate", "-m", "gemma-2b", "-q")
    assert ran.status == 0
    assert list(LEASES) == [ran.out.strip()]
    assert forgetful("release", "--all").status == 0
    assert LEASES == {}
