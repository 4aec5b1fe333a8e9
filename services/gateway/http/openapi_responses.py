"""Every answer that a route may give, for the API's description: what it does, and each refusal by its status."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from services.gateway.http.problems import CONTENT_TYPE
from services.gateway.http.routing import Route

Json = dict[str, Any]
PROBLEM = "#/components/schemas/ProblemView"
RETRY_AFTER = {"Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer"}}}
ASK_HERE = {"Location": {"description": "where the command's answer is", "schema": {"type": "string"}}}
WHO = {"WWW-Authenticate": {"description": "how to say who you are", "required": True, "schema": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status that is no success, and the routes that answer so."""

    name: str
    description: str
    of: Callable[[Route], bool] = lambda _: True
    headers: Json = field(default_factory=dict)

    @property
    def response(self) -> Json:
        """As the description has it among its components."""
        headers = {"headers": self.headers} if self.headers else {}
        return {"description": self.description, **headers, "content": {CONTENT_TYPE: {"schema": {"$ref": PROBLEM}}}}


def names_something(route: Route) -> bool:
    """Whether a resource that is not there can be asked for: by path, command or filter of the stream."""
    return "{" in route.path or route.command or route.token_in_query


REFUSALS = {
    400: Refusal("Unreadable", "This is no HTTP, or the body is not what its headers say"),
    401: Refusal("NoToken", "There is no token, or it is not valid", headers=WHO),
    403: Refusal(
        "RoleNeeded",
        "The token's role may not do this, or nobody may: its code says which",
        lambda route: route.role != "viewer",
    ),
    404: Refusal("Unknown", "Something that the request names does not exist", names_something),
    409: Refusal("Conflict", "As things stand this cannot be done", lambda route: route.method != "GET"),
    413: Refusal(
        "TooLarge", "More comes, or is announced, than is taken", lambda route: bool(route.takes or route.headers)
    ),
    415: Refusal("WrongMedia", "The body is of a kind that is not taken", lambda route: bool(route.takes)),
    422: Refusal("Wrong", "The request is wrong; every fault is named with its field"),
    460: Refusal("WrongChecksum", "The part was changed on its way (tus)", lambda route: bool(route.media)),
    500: Refusal("Defect", "A defect of Belay; its log has more under the `instance` that is named"),
    503: Refusal("Away", "The same request may succeed in a moment", headers=RETRY_AFTER),
    507: Refusal(
        "NoRoom",
        "There is no room for the file: how much is free, and how much is needed",
        lambda route: bool(route.upload or route.headers),
        headers=RETRY_AFTER,
    ),
}
"""By status. 405 belongs to no operation: it comes with `Allow`, which names the methods that a path has."""

FRAME: Json = {
    "type": "object",
    "description": "A frame. `reset` means: read anew what you have; one without data says only where the stream is",
    "properties": {
        "id": {"type": "string", "description": "for Last-Event-ID"},
        "event": {"type": "string", "description": "short type", "examples": ["stage_progressed", "reset"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer", "description": "milliseconds"},
    },
}


def responses(route: Route, answer: Json) -> Json:
    """What a route answers, by status; `answer` is the schema of its success."""
    refusals = {str(status): _ref(one) for status, one in REFUSALS.items() if one.of(route)}
    return {str(route.status): _success(route, answer), **refusals}


def _ref(refusal: Refusal) -> Json:
    return {"$ref": f"#/components/responses/{refusal.name}"}


def _success(route: Route, answer: Json) -> Json:
    if route.status == HTTPStatus.NO_CONTENT:
        return {"description": "Done"}
    done: Json = {"description": "Done", "content": {route.content: {"schema": answer}}}
    if not route.command:
        return done
    described = "Taken: `accepted` by its owner, or only `sent` while that has not answered"
    link = {"operationId": "get_commands_by_command_id", "parameters": {"command_id": "$response.body#/command_id"}}
    return {**done, "description": described, "headers": ASK_HERE, "links": {"answer": link}}


def components() -> Json:
    """The refusals that the routes refer to."""
    return {refusal.name: refusal.response for refusal in REFUSALS.values()}


TEXT = {"text/plain": {"schema": {"type": "string"}}}
FINDINGS = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/FindingView"},
    "description": "what is wrong, if any",
}
PARTS = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"findings": FINDINGS},
            "additionalProperties": {"type": "boolean"},
        }
    }
}
STATUS = {"application/json": {"schema": {"type": "object", "properties": {"status": {"type": "string"}}}}}
DOCUMENT = {"application/json": {"schema": {"type": "object"}}}

OPEN: dict[str, tuple[str, dict[int, Json]]] = {
    "/healthz": ("Whether the process lives", {200: STATUS}),
    "/readyz": ("Whether every part works and which one does not, and what else is wrong", {200: PARTS, 503: PARTS}),
    "/metrics": ("Figures for Prometheus", {200: TEXT, 503: TEXT}),
    "/openapi.json": ("This description", {200: DOCUMENT}),
}
"""Paths that need no token, with what they answer; all are GET."""


def open_responses(path: str) -> Json:
    """What one of them answers, by status."""
    said = {200: "So it is", 503: "Something is away"}
    return {str(status): {"description": said[status], "content": content} for status, content in OPEN[path][1].items()}
