"""The API's description (OpenAPI 3.1), made from the route tables and the models.

`python -m services.gateway.openapi > schemas/openapi.json` writes it out.
"""

import functools
import re
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.gateway.api import ROUTES
from services.gateway.api.problems import CONTENT_TYPE, ProblemView
from services.gateway.api.routes import Route

Json = dict[str, Any]
REF = "#/components/schemas/{model}"

OPEN = {
    "/healthz": "200 while the process lives",
    "/readyz": "200 when every part works, otherwise 503 and which one does not",
    "/metrics": "Figures for Prometheus",
    "/openapi.json": "This description",
}
"""Paths that need no token; all are GET."""

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "id of the command: sent again with the same id it has no second effect and gets the same answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "respond-async: do not wait for the owner's answer; wait=N: wait at most N seconds",
    "schema": {"type": "string"},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "id of the last event that was seen; the stream goes on after it",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}


@functools.cache
def document() -> Json:
    """The whole description."""
    refs, schemas = _schemas()
    paths: dict[str, Json] = {path: {"get": _open(path, summary)} for path, summary in OPEN.items()}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Belay", "version": "1", "description": "Fleet upgrades with a rope on."},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": {"description": "Refused; says why", "content": {CONTENT_TYPE: _ref("Problem")}}},
        },
    }


def _ref(name: str) -> Json:
    return {"schema": {"$ref": REF.format(model=f"{name}View")}}


def _schemas() -> tuple[Any, Json]:
    """Where each model's schema is, and all of them. Bodies as they are read, answers as they are written."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemView, "serialization")]
    for route in ROUTES:
        wanted += [(route.body, "validation")] if route.body else []
        wanted += [(route.answer, "serialization")] if route.answer else []
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=REF)
    return refs, definitions["$defs"]


def _operation(route: Route, refs: Any) -> Json:
    """What the description says of a route."""
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": f"Needs the role `{route.role}` or higher.",
        "tags": [route.path.split("/")[2]],
        "x-role": route.role,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": {str(route.status): _success(route, refs), "default": {"$ref": "#/components/responses/Problem"}},
    }
    if route.upload:
        file = {"type": "string", "contentMediaType": "application/gzip"}
        operation["requestBody"] = {"required": True, "content": {"application/gzip": {"schema": file}}}
    elif route.body:
        required = any(field.is_required() for field in route.body.model_fields.values())
        content = {"application/json": {"schema": refs[route.body, "validation"]}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z]+", route.path.removeprefix("/v1").replace("{", "by_"))
    return "_".join([route.method.lower(), *words])


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[Json]:
    schema = route.query.model_json_schema()
    inlined = _inline(schema.get("properties", {}), schema.get("$defs", {}))
    return [_query_parameter(name, field) for name, field in inlined.items()]


def _query_parameter(name: str, field: Json) -> Json:
    about = {"description": field.pop("description")} if "description" in field else {}
    field.pop("title", None)
    return {"name": name, "in": "query", **about, "schema": field}


def _inline(value: Any, definitions: Json) -> Any:
    """Replace references to definitions that would not be there in the document."""
    if isinstance(value, dict):
        if "$ref" in value:
            return _inline(definitions[value["$ref"].rsplit("/", 1)[-1]], definitions)
        return {key: _inline(inner, definitions) for key, inner in value.items()}
    return [_inline(inner, definitions) for inner in value] if isinstance(value, list) else value


def _headers(route: Route) -> list[Json]:
    if route.command:
        return [KEY, PREFER]
    return [LAST_EVENT_ID] if route.content == "text/event-stream" else []


def _success(route: Route, refs: Any) -> Json:
    schema = refs[route.answer, "serialization"] if route.answer else {"type": "string"}
    return {"description": "Done", "content": {route.content: {"schema": schema}}}


def _open(path: str, summary: str) -> Json:
    words = re.findall(r"[a-z]+", path)
    answers = {"200": {"description": summary}}
    return {"operationId": "_".join(["get", *words]), "summary": summary, "security": [], "responses": answers}


async def serve(_: web.Request) -> web.Response:
    """GET /openapi.json."""
    headers = {"Cache-Control": "no-cache"}
    return web.Response(body=orjson.dumps(document()), content_type="application/json", headers=headers)


def text() -> str:
    """The document as it is committed, the same for the same routes."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"
