"""A real platform in front of which somebody stands who lets some requests for a slice not through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from harpoon_cli.client.embedded import Request, Response
from harpoon_cli.sandbox.application import SandboxApplication

Said = tuple[int, dict[str, object]]

FULL: Said = (409, {"code": "insufficient_capacity", "error": "the pool is full"})
GONE: Said = (404, {"code": "not_found", "error": "no such pool"})
FAILED: Said = (500, {"code": "internal", "error": "out of order"})


@dataclass
class Crowded:
    """Answers an allocate with what `says` gives for the megabytes asked for; None lets it through.

    asked are the megabytes of each allocate that came, pools where it was asked for, prompts what was asked
    of a model. The pools in `full` say that they are; those in `gone` are listed, and not known any more.
    """

    platform: SandboxApplication
    says: Callable[[int], Said | None]
    asked: list[int] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    full: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    prompts: list[dict[str, object]] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        if (request.method, request.path) == ("POST", "/v1/allocate"):
            body = json.loads(request.body)
            megabytes = body["requirements"]["vram_mb"]
            self.asked.append(megabytes)
            self.pools.append(body["pool_id"])
            said = self._of(body["pool_id"]) or self.says(megabytes)
            if said is not None:
                status, body = said
                return Response(status, json.dumps(body).encode(), {"content-type": "application/json"})
        if request.path == "/v1/inference":
            self.prompts.append(json.loads(request.body))
        return await self.platform.handle(request)

    def _of(self, pool: str) -> Said | None:
        return FULL if pool in self.full else GONE if pool in self.gone else None

    async def close(self) -> None:
        await self.platform.close()
