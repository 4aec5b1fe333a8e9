"""A request at the door: who asks, by which token, and what they send."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from services.gateway.commands.ask import Answer, allow
from services.gateway.domain import Identity, Role
from services.gateway.doors.dcmanager.errors import Refused
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.numbers import Numbers
from services.gateway.gateway import Gateway
from services.gateway.http.bodies import parsed
from services.gateway.http.problems import Problem, is_text
from services.gateway.http.routing import GATEWAY
from shared.messages.base import Command

TOKEN_HEADERS = ("X-Auth-Token", "OIDC-Token")


@dataclass(frozen=True, slots=True)
class DcmanagerParts:
    """What this door has of its own."""

    own: DcmanagerSettings
    numbers: Numbers


PARTS: web.AppKey[DcmanagerParts] = web.AppKey("dcmanager", DcmanagerParts)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in."""

    request: web.Request
    gateway: Gateway
    parts: DcmanagerParts
    who: Identity

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the path."""
        return self.request.match_info

    @property
    def type(self) -> str | None:
        """`?type=`; None where it is not given."""
        return self.request.query.get("type")

    async def body(self) -> dict[str, Any]:
        """The JSON object that was sent, whatever its Content-Type. Raises Refused 400 for what is none, or empty."""
        try:
            found = parsed(await self.request.read())
        except Problem as problem:
            raise Refused(400, f"Request body is malformed: {problem.detail}") from None
        if not found:
            raise Refused(400, "Body required")
        return found

    async def ask(self, command: Command, fingerprint: bytes = b"") -> Answer:
        """What the owner of a command answers; every reason of a refusal is in its faults."""
        return await self.gateway.commands.ask(
            command, self.who, target=f"dcmanager:{self.request.path}", fingerprint=fingerprint
        )


Handle = Callable[[Call], Awaitable[Any]]
"""Answers with what is sent as JSON, or with a whole response."""


class Route(NamedTuple):
    """One method on one path; a slash more at its end is the same path."""

    method: str
    path: str
    handle: Handle
    role: Role = Role.VIEWER


def add_routes(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Serve them. HEAD is GET without its body."""
    for route in routes:
        resource = app.router.add_resource(route.path + "{slash:/?}")
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            resource.add_route(method, _endpoint(route))


def _endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        call = await admitted(request)
        allow(call.who, route.role)
        answer = await route.handle(call)
        return answer if isinstance(answer, web.StreamResponse) else as_json(answer)

    return handle


async def admitted(request: web.Request) -> Call:
    """Raises Refused 401 for who has no valid token, 400 for what no database could look for."""
    token = next((request.headers[name] for name in TOKEN_HEADERS if name in request.headers), "")
    who = await request.app[GATEWAY].verifier.verify(token.strip()) if token else None
    if who is None:
        raise Refused(401, "this token is not valid, or was deleted" if token else "send a token: X-Auth-Token")
    for text in (*request.match_info.values(), *request.query.values()):
        if "\x00" in text or not is_text(text):
            raise Refused(400, "a part of the path or the query is no text")
    return Call(request, request.app[GATEWAY], request.app[PARTS], who)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer; dates as theirs are written."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json", headers=headers)
