"""The sandbox as HTTP: requests in, JSON (or server-sent events) out, held to `openapi.json` word by word.

Checks who asks, what is asked and in which form; the rules themselves are `platform`'s. Opens no socket.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NoReturn, cast

from harpoon_cli.client.embedded import Request, Response
from harpoon_cli.domain import Completion, CompletionRequest, Delta, LeaseId, Prompt, Secret
from harpoon_cli.errors import BrokenOff, HarpoonError, Refused, StorageFault
from harpoon_cli.sandbox.answerer import Answerer
from harpoon_cli.sandbox.contract import Contract, Operation, Route, built_in_contract
from harpoon_cli.sandbox.platform import Document, Order, Refusal, SandboxPlatform
from harpoon_cli.sandbox.replays import Piece, Replays, digest
from harpoon_cli.sandbox.schema import Violation
from harpoon_cli.values import Struct, asdict

BODY_CAP_BYTES = 8 * 1024 * 1024
DEFAULT_TTL_S = 900
DEFAULT_PAGE = 50
VIOLATIONS_SHOWN = 20
DONE = b"data: [DONE]\n\n"

_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream", "cache-control": "no-store"}


class _Call(Struct, frozen=True):
    """One valid request: what was captured from the path, sent as parameters, and in the body."""

    parameters: Mapping[str, Any]
    body: Mapping[str, Any]


class SandboxApplication:
    """A `client.embedded.Application`. `key` is what callers must send."""

    def __init__(
        self,
        platform: SandboxPlatform,
        answerer: Answerer,
        key: Secret,
        contract: Contract | None = None,
    ) -> None:
        self.key = key
        self._platform = platform
        self._answerer = answerer
        self._contract = contract or built_in_contract()
        self._replays = Replays()
        self._operations = {
            "health": self._health,
            "contract": self._document,
            "listPools": self._pools,
            "allocate": self._allocate,
            "listAllocations": self._list,
            "getAllocation": self._get,
            "renewAllocation": self._renew,
            "releaseAllocation": self._release,
            "infer": self._infer,
        }

    async def handle(self, request: Request) -> Response:
        try:
            operation, route = self._operation(request)
            if operation.authenticated:
                self._authenticate(request.headers)
            call = self._valid(operation, route, request)
            return await self._operations[operation.id](call)
        except (Refusal, HarpoonError) as trouble:
            return _refused(_as_refusal(trouble))

    async def close(self) -> None:
        """Let go of files and connections; leases and a running engine stay."""
        await self._replays.close()
        await self._answerer.close()
        self._platform.close()

    def _operation(self, request: Request) -> tuple[Operation, Route]:
        route = self._contract.route(request.path)
        if route is None:
            raise Refusal(404, "no_such_path", "the sandbox has no such path; GET /openapi.json lists them")
        if request.method not in route.operations:
            allowed = ", ".join(route.operations)
            raise Refusal(
                405,
                "method_not_allowed",
                f"this path knows {allowed}",
                details={"allowed": list(route.operations)},
                headers={"allow": allowed},
            )
        return route.operations[request.method], route

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        given = headers.get("x-api-key", "")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given = token.strip()
        if given and hmac.compare_digest(
            given.encode("utf-8", "surrogateescape"), self.key.reveal().encode()
        ):
            return
        said = "this key is not the sandbox's" if given else "a key is needed"
        raise Refusal(
            401,
            "not_authorised",
            f"{said}: Authorization: Bearer <key>, or X-API-Key: <key>",
            headers={"www-authenticate": 'Bearer realm="harpoon sandbox"'},
        )

    def _valid(self, operation: Operation, route: Route, request: Request) -> _Call:
        sources = {"path": route.captured, "query": request.query, "header": request.headers}
        parameters: dict[str, object] = {}
        violations: list[Violation] = []
        for parameter in operation.parameters:
            name = parameter.name.lower() if parameter.place == "header" else parameter.name
            if name in sources[parameter.place]:
                value = parameter.schema.coerced(sources[parameter.place][name])
                violations += parameter.schema.violations(value, parameter.name)
                parameters[parameter.name] = value
        body = None if operation.body is None else _json_body(request)
        if operation.body is not None:
            violations += operation.body.violations(body)
        if violations:
            raise _invalid(violations)
        return _Call(parameters, cast("Mapping[str, Any]", body or {}))  # the contract says it is an object

    async def _health(self, _call: _Call) -> Response:
        return _answer({"status": "ok", "platform": "sandbox"})

    async def _document(self, _call: _Call) -> Response:
        return Response(200, self._contract.text.encode(), _JSON)

    async def _pools(self, _call: _Call) -> Response:
        return _answer(self._platform.pools())

    async def _allocate(self, call: _Call) -> Response:
        wanted = call.body["requirements"]
        order = Order(
            pool_id=call.body["pool_id"],
            vram_mb=int(wanted["vram_mb"]),
            tflops=float(wanted["tflops"]),
            duration_s=int(call.body.get("duration_seconds", DEFAULT_TTL_S)),
            model=wanted.get("model"),
            metadata=call.body.get("metadata", {}),
        )
        accepted = self._platform.allocate(order, call.parameters.get("Idempotency-Key"))
        replayed = {"idempotency-replayed": "true"} if accepted.replayed else {}
        return _answer(accepted.document, status=201, headers=replayed)

    async def _list(self, call: _Call) -> Response:
        limit, cursor = call.parameters.get("limit", DEFAULT_PAGE), call.parameters.get("cursor")
        return _answer(self._platform.allocations(limit=limit, cursor=cursor))

    async def _get(self, call: _Call) -> Response:
        return _answer(self._platform.allocation(call.parameters["allocation_id"]))

    async def _renew(self, call: _Call) -> Response:
        duration_s = int(call.body["duration_seconds"])
        return _answer(self._platform.renew(call.parameters["allocation_id"], duration_s))

    async def _release(self, call: _Call) -> Response:
        return _answer(self._platform.release(call.parameters["allocation_id"]))

    async def _infer(self, call: _Call) -> Response:
        key, replayed = call.parameters.get("Idempotency-Key"), False
        if key is None:
            pieces = self._run(call.body)
        else:
            pieces, replayed = self._replays.answer(key, digest(call.body), lambda: self._run(call.body))
        headers = {"idempotency-replayed": "true"} if replayed else {}
        if not call.body.get("stream", False):
            answer = await _whole(pieces)
            return _answer({"text": answer.text, **self._ending(answer)}, headers=headers)
        # The first piece is awaited here, so that a failure before it has a status of its own.
        first = await anext(pieces)
        return Response(200, self._events(first, pieces), _EVENTS | headers)

    async def _run(self, body: Mapping[str, Any]) -> AsyncGenerator[Piece, None]:
        """The parts of a new answer, for as long as the lease is live."""
        allocation_id = body["allocation_id"]
        self._platform.require_active(allocation_id)
        plane = await self._answerer.open()
        use = self._platform.begin_use(allocation_id)
        try:
            async with aclosing(plane.stream(_question(body))) as parts:
                async for part in parts:
                    self._platform.require_active(allocation_id)
                    yield part
        finally:
            self._platform.end_use(use)

    async def _events(self, first: Piece, rest: AsyncGenerator[Piece, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(rest):
            try:
                yield self._event(first)
                async for piece in rest:
                    yield self._event(piece)
                yield DONE
            except (Refusal, HarpoonError) as trouble:
                yield _event_of(_error_document(_as_refusal(trouble)))

    def _event(self, piece: Piece) -> bytes:
        if isinstance(piece, Delta):
            return _event_of({"choices": [{"index": 0, "delta": {"content": piece.text}}]})
        last = {"index": 0, "delta": {}, "finish_reason": piece.finish_reason}
        return _event_of({"choices": [last], **self._ending(piece)})

    def _ending(self, answer: Completion) -> Document:
        """What is said about an answer when it is whole."""
        return {
            "model_used": self._answerer.model_name,
            "engine": self._answerer.engine,
            "finish_reason": answer.finish_reason,
            "usage": None if answer.usage is None else asdict(answer.usage),
        }


async def _whole(pieces: AsyncGenerator[Piece, None]) -> Completion:
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Completion):
                return piece
    raise BrokenOff("the engine's answer ended before it was whole")


def _question(body: Mapping[str, Any]) -> CompletionRequest:
    max_tokens = body.get("max_tokens")
    return CompletionRequest(
        prompt=Prompt(body["prompt"]),
        model=body.get("model") or "",
        max_tokens=None if max_tokens is None else int(max_tokens),
        temperature=body.get("temperature"),
        lease_id=LeaseId(body["allocation_id"]),
    )


def _json_body(request: Request) -> object:
    if len(request.body) > BODY_CAP_BYTES:
        raise _body_too_large(BODY_CAP_BYTES)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "unsupported_media_type", "the body must be application/json")
    try:
        return json.loads(request.body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as cause:
        raise Refusal(400, "malformed", "the body is not JSON in UTF-8") from cause


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _invalid(violations: Sequence[Violation]) -> Refusal:
    return Refusal(
        422,
        "invalid_request",
        "; ".join(str(one) for one in violations[:3]),
        details={"violations": [asdict(one) for one in violations[:VIOLATIONS_SHOWN]]},
    )


def _body_too_large(cap_bytes: int) -> Refusal:
    return Refusal(
        413, "body_too_large", f"the body is larger than {cap_bytes} bytes", details={"max_bytes": cap_bytes}
    )


def _as_refusal(trouble: Refusal | HarpoonError) -> Refusal:
    """What the sandbox answers when it cannot do its own part."""
    if isinstance(trouble, Refusal):
        return trouble
    helps = trouble.hint if trouble.hint != trouble.way_out else None  # that is for who asked for harpoon
    details: Document = {"hint": helps} if helps else {}
    if isinstance(trouble, StorageFault):
        return Refusal(500, "storage", trouble.message, details=details)
    if isinstance(trouble, Refused) and trouble.status in (400, 413, 422):
        return Refusal(422, "engine_refused", trouble.message, details=details)
    return Refusal(503, "engine_unavailable", trouble.message, details=details)


def _refused(refusal: Refusal) -> Response:
    return _answer(_error_document(refusal), status=refusal.status, headers=refusal.headers)


def _error_document(refusal: Refusal) -> Document:
    return {"error": refusal.message, "code": refusal.code, "details": refusal.details}


def _answer(document: Document, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(document).encode(), {**_JSON, **(headers or {})})


def _event_of(document: Document) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
