"""The API's description (OpenAPI 3.1), made from the route tables and the models.

`python -m schemas.export` writes it to schemas/openapi.json.
"""

import functools
import re
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.gateway.commands.ask import Key
from services.gateway.events.stream import EVENT_ID
from services.gateway.http import uploads
from services.gateway.http.openapi_responses import FRAME, OPEN, components, open_responses, responses
from services.gateway.http.paths import parts_of
from services.gateway.http.problems import ProblemView
from services.gateway.http.routing import Route
from services.gateway.resources.table import RESOURCES, ROUTES

Json = dict[str, Any]
REF = "#/components/schemas/{model}"
FILE = {"type": "string", "contentMediaType": "application/gzip", "minLength": 1}

ABOUT = {
    "title": "Belay",
    "version": "1",
    "description": (
        "Fleet upgrades with a rope on.\n\n"
        "HEAD is GET without its body. A path answers a method that it does not have with 405 and `Allow`. "
        "No text may hold the character U+0000. "
        "Errors are problems (RFC 9457) that name every fault with its field."
    ),
    "contact": {"name": "Whoever runs this Belay"},
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
TAGS = {"health": "How this replica is"} | {name: about for each in RESOURCES for name, about in each.tags.items()}
PARTS = {part: kind for each in RESOURCES for part, kind in each.parts.items()}

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "id of the command: sent again with the same id it has no second effect and gets the same answer",
    "schema": TypeAdapter(Key).json_schema(),
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
    "schema": {"type": "string", "pattern": f"^({EVENT_ID})?$"},
}


@functools.cache
def document() -> Json:
    """The whole description."""
    refs, schemas = _schemas()
    paths: dict[str, Json] = {path: {"get": _open(path)} for path in OPEN}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": ABOUT,
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in sorted(TAGS.items())],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": components(),
        },
    }


def _schemas() -> tuple[Any, Json]:
    """Where each model's schema is, and all of them. Bodies as they are read, answers as they are written."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemView, "serialization")]
    for route in ROUTES:
        wanted += [(route.body, "validation")] if route.body else []
        wanted += [(route.answer, "serialization")] if route.answer else []
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=REF)
    return refs, _used(definitions["$defs"], [*refs.values(), FRAME])


def _used(schemas: Json, roots: Iterable[Any]) -> Json:
    """Those that something refers to. The words of an open field stand in the field, and the list of them in vain."""
    prefix, left, used = REF.format(model=""), list(roots), set()
    while left:
        here = left.pop()
        if isinstance(here, dict):
            name = str(here.get("$ref", "")).removeprefix(prefix)
            if name in schemas and name not in used:
                used.add(name)
                left.append(schemas[name])
            left += here.values()
        elif isinstance(here, list):
            left += here
    return {name: schema for name, schema in schemas.items() if name in used}


def _operation(route: Route, refs: Any) -> Json:
    """What the description says of a route."""
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": f"Needs the role `{route.role}` or higher.",
        "tags": [route.path.split("/")[2]],
        "x-role": route.role,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": responses(route, _answer(route, refs)),
    }
    if route.takes:
        operation["requestBody"] = _body(route, refs)
    return operation


def _body(route: Route, refs: Any) -> Json:
    if route.body is None:
        form = {} if route.media else {"multipart/form-data": {"schema": uploads.FORM}}
        return {"required": True, "content": {media: {"schema": FILE} for media in route.takes} | form}
    required = any(field.is_required() for field in route.body.model_fields.values())
    content = {media: {"schema": refs[route.body, "validation"]} for media in route.takes}
    return {"required": required, "content": content}


def _answer(route: Route, refs: Any) -> Json:
    answer: Json = refs[route.answer, "serialization"] if route.answer else FRAME
    return answer


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z]+", route.path.removeprefix("/v1").replace("{", "by_"))
    return "_".join([route.method.lower(), *words])


def _path_parameters(route: Route) -> list[Json]:
    parts = parts_of(route.path, PARTS).items()
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name, schema in parts]


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
    if route.headers:
        return [dict(header) for header in route.headers]
    return [LAST_EVENT_ID] if route.content == "text/event-stream" else []


def _open(path: str) -> Json:
    summary, name = OPEN[path][0], "_".join(["get", *re.findall(r"[a-z]+", path)])
    about = {"summary": summary, "description": f"{summary}. Needs no token.", "tags": ["health"], "security": []}
    return {"operationId": name, **about, "responses": open_responses(path)}


async def serve(_: web.Request) -> web.Response:
    """GET /openapi.json."""
    headers = {"Cache-Control": "no-cache"}
    return web.Response(body=orjson.dumps(document()), content_type="application/json", headers=headers)


def text() -> str:
    """The document as it is committed, the same for the same routes."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"
