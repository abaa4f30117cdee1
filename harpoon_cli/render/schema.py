"""The JSON Schema of a command's envelope, from the types of its data; for development and tests only.

No command imports it: pydantic, which reads the types, is too slow to load for an answer.
"""

from __future__ import annotations

from dataclasses import make_dataclass
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from harpoon_cli.domain import Receipt, Secret
from harpoon_cli.errors import Exit
from harpoon_cli.render.envelope import schema_name
from harpoon_cli.values import Struct, Told

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}

_ERROR = {
    "type": "object",
    "properties": {
        "code": _TEXT,
        "message": _TEXT,
        "hint": _TEXT_OR_NULL,
        "exit": {"type": "integer"},
        "status": {"type": ["integer", "null"], "description": "the HTTP status, for a platform's error"},
        "platform_code": _TEXT_OR_NULL,
    },
    "required": ["code", "message", "hint", "exit"],
    "additionalProperties": False,
}


class _AsPlainWrites(GenerateJsonSchema):
    """Describes values as `envelope.plain` writes them: every field is there, and a `Secret` is text."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        if schema["cls"] is _twin(Secret):
            return dict(_TEXT)
        return super().dataclass_schema(schema) | {"additionalProperties": False}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True


def schema_for(command: str, data_type: type | None) -> dict[str, object]:
    """The JSON Schema (2020-12) of what `--output json` prints for a command.

    data_type is the Struct of `Outcome.data`, or None where the command has none; `data` is null in any
    case where a command fails before it has any.
    """
    types: dict[str, type] = {"receipt": _twin(Receipt)}
    if data_type is not None:
        types["data"] = _twinned(data_type)
    mode: Literal["serialization"] = "serialization"
    inputs = [(name, mode, TypeAdapter[object](kind)) for name, kind in types.items()]
    parts, shared = TypeAdapter.json_schemas(inputs, schema_generator=_AsPlainWrites)
    found = {name: part for (name, _), part in parts.items()}
    properties = _properties(command, found.get("data"), found["receipt"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"harpoon {command} --output json",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **shared,
    }


@cache
def _twin(kind: type) -> type:
    """The dataclass with the fields of a Struct: pydantic reads no Structs."""
    fields = [(name, _twinned(hint)) for name, hint in get_type_hints(kind).items()]
    made = make_dataclass(kind.__name__, fields, namespace={"__doc__": kind.__doc__})
    made.__module__ = kind.__module__
    return made


def _twinned(hint: Any) -> Any:
    if hint is Told:
        return str
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _twin(hint)
    inner = tuple(map(_twinned, get_args(hint)))
    if not inner or get_origin(hint) is Literal:
        return hint
    return reduce(or_, inner) if isinstance(hint, UnionType) else get_origin(hint)[inner]


def _properties(command: str, data: JsonSchemaValue | None, receipt: JsonSchemaValue) -> dict[str, object]:
    return {
        "schema": {"const": schema_name(command)},
        "command": {"const": command},
        "status": {"enum": ["ok", "error"]},
        "exit": {"enum": [int(status) for status in Exit]},
        "endpoint": _TEXT_OR_NULL | {"description": '"sandbox", or the URL of the platform'},
        "data": {"anyOf": [data, {"type": "null"}]} if data else {"type": "null"},
        "receipt": {"anyOf": [receipt, {"type": "null"}]},
        "notes": {"type": "array", "items": _TEXT},
        "errors": {"type": "array", "items": _ERROR},
    }
