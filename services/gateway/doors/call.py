"""A request at a door: who asks, by which token, and what they send; and the routes that take it."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar

import orjson
from aiohttp import web

from services.gateway.commands.ask import Answer, allow
from services.gateway.domain import Identity, Role
from services.gateway.doors.errors import Refused
from services.gateway.doors.numbers import Numbers
from services.gateway.gateway import Gateway
from services.gateway.http.bodies import parsed
from services.gateway.http.problems import Problem, is_text
from services.gateway.http.routing import GATEWAY
from shared.messages.base import Command
from shared.process.db import Connection

IGNORED = "X-Belay-Ignored"
"""A header: fields of a request that nothing was made of."""

READABLE_SECONDS = 2.0
POLLS = (0.005, 0.01, 0.02, 0.05)

TURN = 500

Row = TypeVar("Row")

TOKEN_HEADERS = ("X-Auth-Token", "OIDC-Token")

NUMBERS: web.AppKey[Numbers] = web.AppKey("numbers", Numbers)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in. A door that has more to say of its requests makes a subclass of it."""

    request: web.Request
    gateway: Gateway
    who: Identity
    door: str

    @classmethod
    async def admitted(cls, request: web.Request) -> Self:
        """Raises Refused 401 for who has no valid token, 400 for what no database could look for."""
        who = await admitted(request)
        return cls(request, request.app[GATEWAY], who, request.app[NUMBERS].door)

    @property
    def numbers(self) -> Numbers:
        """The integers that this door gave out."""
        return self.request.app[NUMBERS]

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the path."""
        return self.request.match_info

    async def ask(self, command: Command, fingerprint: bytes = b"") -> Answer:
        """What the owner of a command answers; every reason of a refusal is in its faults.

        Raises Refused 503 where it does not answer in time: nobody here could tell whether it was done.
        """
        answer = await self.gateway.commands.ask(command, self.who, target=self.asked_at, fingerprint=fingerprint)
        if answer.state == "sent":
            raise Refused(503, "there is no answer yet whether this can be done: look, before it is asked for again")
        return answer

    @property
    def asked_at(self) -> str:
        """Where, for the audit."""
        return f"{self.door}:{self.request.path}"


Handle = Callable[[Any], Awaitable[Any]]
"""Answers a Call of its door with what is sent as JSON, or with a whole response."""


class Route(NamedTuple):
    """One method on one path; a slash more at its end is the same path."""

    method: str
    path: str
    handle: Handle
    role: Role = Role.VIEWER


def add_routes(
    app: web.Application,
    routes: Iterable[Route],
    kind: type[Call],
    send: Callable[[web.Request, Any], web.StreamResponse],
) -> None:
    """Serve them; `send` makes an answer of what one says. HEAD is GET without its body."""
    for route in routes:
        resource = app.router.add_resource(route.path + "{slash:/?}")
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            resource.add_route(method, _endpoint(route, kind, send))


def _endpoint(
    route: Route, kind: type[Call], send: Callable[[web.Request, Any], web.StreamResponse]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        call = await kind.admitted(request)
        allow(call.who, route.role)
        answer = await route.handle(call)
        return answer if isinstance(answer, web.StreamResponse) else send(request, answer)

    return handle


async def admitted(request: web.Request) -> Identity:
    """Who asks. Raises Refused 401 for who has no valid token, 400 for what no database could look for."""
    token = next((request.headers[name] for name in TOKEN_HEADERS if name in request.headers), "")
    who = await request.app[GATEWAY].verifier.verify(token.strip()) if token else None
    if who is None:
        raise Refused(401, "this token is not valid, or was deleted" if token else "send a token: X-Auth-Token")
    for text in (*request.match_info.values(), *request.query.values()):
        if "\x00" in text or not is_text(text):
            raise Refused(400, "a part of the path or the query is no text")
    return who


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body, {} for none. Raises Refused 400 for what is none."""
    try:
        return parsed(raw)
    except Problem as problem:
        raise Refused(400, f"Request body is malformed: {problem.detail}") from None


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer; dates as theirs are written."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json", headers=headers)


def ignored_in(names: Iterable[str]) -> dict[str, str]:
    """The header that tells of them. Names of fields are anybody's text, and a header is ASCII."""
    told = ", ".join(name for name in names if name.isascii() and name.isprintable())
    return {IGNORED: told[:500]} if told else {}


async def readable(
    call: Call, there: Callable[[Connection], Awaitable[bool]], seconds: float = READABLE_SECONDS
) -> None:
    """Return once it can be read, or when that takes too long: events are some milliseconds behind answers, and who
    asks at once what came of a request is not to see what was before."""
    until = time.monotonic() + seconds
    for pause in itertools.chain(POLLS, itertools.repeat(POLLS[-1])):
        async with call.gateway.pool.acquire() as conn:
            if await there(conn) or time.monotonic() > until:
                return
        await asyncio.sleep(pause)


async def in_turns(rows: Sequence[Row], shape: Callable[[Row], dict[str, Any]]) -> list[dict[str, Any]]:
    """All rows in shape. Lists have no pages here: others get their turn while one of 100,000 is made."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(rows), TURN):
        found += map(shape, rows[start : start + TURN])
        await asyncio.sleep(0)
    return found
