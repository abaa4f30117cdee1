"""The sandbox's contract, read from `openapi.json`: which operations there are, and what they take.

Knows nothing of what the operations do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from harpoon_cli.sandbox.schema import Schema
from harpoon_cli.values import Struct


class Parameter(Struct, frozen=True):
    """A value outside the body; `place` is "query", "header" or "path"."""

    name: str
    place: str
    schema: Schema


class Operation(Struct, frozen=True):
    """One method of one path. `body` is the schema of its body, None where it takes none."""

    id: str
    authenticated: bool
    parameters: tuple[Parameter, ...]
    body: Schema | None


class Route(Struct, frozen=True):
    """A path with its operations by method, and what its braces stood for."""

    operations: Mapping[str, Operation]
    captured: Mapping[str, str]


class Contract:
    """An OpenAPI document, as far as the sandbox needs it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._document: dict[str, Any] = json.loads(text)
        self._paths = [
            (_pattern(template), {method.upper(): self._operation(one) for method, one in methods.items()})
            for template, methods in self._document["paths"].items()
        ]

    def route(self, path: str) -> Route | None:
        """The operations of a path, None where the contract does not have it."""
        for pattern, operations in self._paths:
            if found := pattern.fullmatch(path):
                return Route(operations, found.groupdict())
        return None

    def _operation(self, keywords: Mapping[str, Any]) -> Operation:
        body = keywords.get("requestBody")
        return Operation(
            id=keywords["operationId"],
            authenticated=bool(keywords.get("security", self._document["security"])),
            parameters=tuple(self._parameter(one) for one in keywords.get("parameters", ())),
            body=body and self._schema(body["content"]["application/json"]["schema"]),
        )

    def _parameter(self, keywords: Mapping[str, Any]) -> Parameter:
        return Parameter(keywords["name"], keywords["in"], self._schema(keywords["schema"]))

    def _schema(self, keywords: Mapping[str, Any]) -> Schema:
        return Schema(keywords, self._document)


def built_in_contract() -> Contract:
    """The contract of the sandbox in this package."""
    return Contract(files(__package__).joinpath("openapi.json").read_text("utf-8"))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
