"""OpenAPI of `/api/v1`: what tools and people read before they send anything."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from web.api_records import RECORDS, RECORDS_MAX, Record

PROBLEM = "application/problem+json"

_ANSWERS: dict[str, Any] = {
    "Answer": {
        "type": "object",
        "required": ["import_id", "records", "accepted", "rejected"],
        "properties": {
            "import_id": {"type": ["integer", "null"]},
            "records": {"type": "integer"},
            "accepted": {"type": "integer"},
            "rejected": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["index", "field", "value", "reason"],
                    "properties": {
                        "index": {"type": "integer"},
                        "field": {"type": "string"},
                        "value": {"type": "string"},
                        "reason": {"type": "string"},
                    },
                },
            },
        },
    },
    "Problem": {
        "type": "object",
        "required": ["status", "title"],
        "properties": {
            "status": {"type": "integer"},
            "title": {"type": "string"},
            "detail": {"type": "string"},
        },
    },
}


def describe(router: APIRouter) -> dict[str, Any]:
    """OpenAPI of the routes that take records."""
    text = (
        "Records go into the source of the key. A batch holds 1 to "
        f"{RECORDS_MAX} records. With `Idempotency-Key` a repeated request gets the "
        "first answer again, for seven days."
    )
    spec = get_openapi(
        title="Rapport",
        version="1",
        description=text,
        routes=[each for each in router.routes if _kind(each) in RECORDS],
    )
    parts = spec.setdefault("components", {})
    parts["schemas"] = {}
    for kind, model in RECORDS.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        parts["schemas"] |= schema.pop("$defs", {})
        parts["schemas"][model.__name__] = schema
        _describe(spec["paths"][f"/api/v1/{kind}"]["post"], model)
    parts["schemas"] |= _ANSWERS
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    spec["security"] = [{"key": []}]
    return spec


def _describe(operation: dict[str, Any], model: type[Record]) -> None:
    records = {
        "type": "array",
        "minItems": 1,
        "maxItems": RECORDS_MAX,
        "items": {"$ref": f"#/components/schemas/{model.__name__}"},
    }
    batch = {
        "type": "object",
        "required": ["records"],
        "additionalProperties": False,
        "properties": {"records": records},
    }
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": batch}},
    }
    operation["parameters"] = [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }
    ]
    answers = {
        "200": "What was taken, and what was not",
        "400": "Not a batch of records",
        "401": "No valid key",
        "403": "The key may not send this",
        "409": "The same request is being taken now",
        "413": "More than 1 MiB",
        "422": "The idempotency key was used for another request",
    }
    operation["responses"] = {
        code: {
            "description": words,
            "content": {
                "application/json" if code == "200" else PROBLEM: {
                    "schema": {
                        "$ref": "#/components/schemas/"
                        + ("Answer" if code == "200" else "Problem")
                    }
                }
            },
        }
        for code, words in answers.items()
    }


def _kind(route: BaseRoute) -> str:
    path: str = getattr(route, "path", "")
    return path.rpartition("/")[2]
