"""The machine-readable description at `/api/openapi.json`: what each route takes and answers.

Invariants: bodies are described from the very structs they are decoded into, so the description
cannot drift from the behaviour; it depends on the routes alone and is rendered once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from node.api.docs_page import DocumentedRoute
from node.api.problems import ProblemDocument
from node.registration.requests import (
    Batch,
    ChangeRequest,
    Item,
    ItemResult,
    ReserveRequest,
    StatusRequest,
)

Schema = dict[str, object]

_BODIES: Mapping[tuple[str, str], type[msgspec.Struct]] = {
    ("POST", "/api/v1/identifiers"): Item,
    ("POST", "/api/v1/identifiers:batch"): Batch,
    ("POST", "/api/v1/identifiers:reserve"): ReserveRequest,
    ("PATCH", "/api/v1/identifiers/{identifier}"): ChangeRequest,
    ("POST", "/api/v1/identifiers/{identifier}"): StatusRequest,
}
_FILE: Schema = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_SUCCESS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("POST", "/api/v1/identifiers"): ("200", "201"),
    ("POST", "/api/v1/identifiers:reserve"): ("201",),
    ("POST", "/api/v1/imports"): ("202",),
}
_TEXT: Schema = {"type": "string"}
_QUERIES: Mapping[tuple[str, str], Mapping[str, Schema]] = {
    ("POST", "/api/v1/identifiers"): {"wait": {"type": "string", "enum": ["proof"]}},
    ("POST", "/api/v1/imports"): {
        "filename": _TEXT,
        "dry_run": {"type": "boolean"},
        "mode": {"type": "string", "enum": ["assign"]},
        "confirm": {"type": "array", "items": _TEXT},
    },
    ("GET", "/api/v1/imports"): {"sha256": _TEXT},
}
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_TEMPLATE = "#/components/schemas/{name}"


def render(title: str, version: str, routes: Iterable[DocumentedRoute]) -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    structs = [*_BODIES.values(), ItemResult, ProblemDocument]
    _, schemas = msgspec.json.schema_components(structs, ref_template=_TEMPLATE)
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        path = _PATH_PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(document)


def _operation(route: DocumentedRoute, path: str) -> Schema:
    place = (route.method, path)
    operation: Schema = {
        "summary": route.summary,
        "description": " ".join(route.description.split()),
        "parameters": list(_parameters(route, place)),
        "responses": _responses(place),
    }
    if place in _BODIES:
        operation["requestBody"] = {"required": True, "content": _json_of(_BODIES[place])}
    elif place == ("POST", "/api/v1/imports"):
        operation["requestBody"] = {"required": True, "content": _FILE}
    if path.startswith("/api/v1/"):
        operation["security"] = [{"key": []}]
    return operation


def _parameters(route: DocumentedRoute, place: tuple[str, str]) -> Iterable[Schema]:
    for name in _PATH_PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": _TEXT}
    for name, schema in _QUERIES.get(place, {}).items():
        yield {"name": name, "in": "query", "required": name == "filename", "schema": schema}
    if place in _BODIES or place == ("POST", "/api/v1/imports"):
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}


def _responses(place: tuple[str, str]) -> Schema:
    problem = {"application/problem+json": {"schema": _reference(ProblemDocument)}}
    responses: Schema = {"default": {"description": "RFC 9457 problem", "content": problem}}
    for status in _SUCCESS.get(place, ("200",)):
        responses[status] = {"description": "OK"}
        if _BODIES.get(place) in (Item, ChangeRequest, StatusRequest):
            responses[status] = {"description": "OK", "content": _json_of(ItemResult)}
    return responses


def _json_of(struct: type[msgspec.Struct]) -> Schema:
    return {"application/json": {"schema": _reference(struct)}}


def _reference(struct: type[msgspec.Struct]) -> Schema:
    return {"$ref": _TEMPLATE.format(name=struct.__name__)}
