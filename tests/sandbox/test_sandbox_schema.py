"""The contract's document, and that the sandbox understands every word that it holds requests to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harpoon_cli.sandbox.application import DEFAULT_PAGE, DEFAULT_TTL_S
from harpoon_cli.sandbox.contract import built_in_contract
from harpoon_cli.sandbox.schema import KEYWORDS

ANNOTATIONS = {"description", "default", "examples"}
DOCUMENT: dict[str, Any] = json.loads(built_in_contract().text)


def operations() -> Iterator[dict[str, Any]]:
    return (operation for path in DOCUMENT["paths"].values() for operation in path.values())


def requested() -> Iterator[dict[str, Any]]:
    """Every schema that a request is held to, down to the innermost."""
    waiting: list[Any] = []
    for operation in operations():
        waiting += [one["schema"] for one in operation.get("parameters", ())]
        if "requestBody" in operation:
            waiting.append(operation["requestBody"]["content"]["application/json"]["schema"])
    while waiting:
        schema = waiting.pop()
        yield schema
        if "$ref" in schema:
            waiting.append(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        waiting += schema.get("properties", {}).values()
        if isinstance(schema.get("additionalProperties"), dict):
            waiting.append(schema["additionalProperties"])


def test_every_keyword_that_a_request_is_held_to_is_understood() -> None:
    found = {keyword for schema in requested() for keyword in schema}
    assert found - ANNOTATIONS <= KEYWORDS


def test_every_object_in_a_request_refuses_names_it_does_not_know() -> None:
    for schema in requested():
        if schema.get("type") == "object":
            assert "additionalProperties" in schema


def test_every_operation_says_what_its_refusals_look_like() -> None:
    for operation in operations():
        wanted = {"400", "500"}
        if operation.get("security") != []:
            wanted |= {"401"}
        if "requestBody" in operation:
            wanted |= {"413", "415", "422"}
        assert wanted <= operation["responses"].keys(), operation["operationId"]


def test_the_defaults_are_the_documented_ones() -> None:
    allocate = DOCUMENT["components"]["schemas"]["AllocateRequest"]["properties"]
    limit = DOCUMENT["paths"]["/v1/allocate"]["get"]["parameters"][0]["schema"]
    assert allocate["duration_seconds"]["default"] == DEFAULT_TTL_S
    assert limit["default"] == DEFAULT_PAGE
