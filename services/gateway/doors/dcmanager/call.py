"""A request at the door: who asks, by which token, and what they send."""

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

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
from shared.process.db import Connection

IGNORED = "X-Belay-Ignored"
"""A header: fields of a request that nothing was made of."""

READABLE_SECONDS = 2.0
POLLS = (0.005, 0.01, 0.02, 0.05)

_LINE_GOES_ON = re.compile(rb"\\\r?\n")
"""A backslash at the end of a line is JSON nowhere; their own examples, pasted into a shell, send it all the same."""

TURN = 500

Row = TypeVar("Row")

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
            found = parsed(_LINE_GOES_ON.sub(b"\n", await self.request.read()))
        except Problem as problem:
            raise Refused(400, f"Request body is malformed: {problem.detail}") from None
        if not found:
            raise Refused(400, "Body required")
        return found

    async def form(self) -> dict[str, Any]:
        """The same, where it may also be a form: text fields only. Raises Refused 400."""
        if not self.request.content_type.startswith(("multipart/", "application/x-www-form-urlencoded")):
            return await self.body()
        try:
            sent = await self.request.post()
        except (ValueError, RuntimeError, AssertionError, LookupError) as error:  # aiohttp, of what is no such form
            raise Refused(400, f"Request body is malformed: it is not the form of its headers: {error}") from None
        if not sent:
            raise Refused(400, "Body required")
        found = {name: value if isinstance(value, str) else "(a file)" for name, value in sent.items()}
        if any("\x00" in text or not is_text(text) for pair in found.items() for text in pair):
            raise Refused(400, "Request body is malformed: a field of it is no text")
        return found

    async def ask(self, command: Command, fingerprint: bytes = b"") -> Answer:
        """What the owner of a command answers; every reason of a refusal is in its faults.

        Raises Refused 503 where it does not answer in time: nobody here could tell whether it was done.
        """
        where = f"dcmanager:{self.request.path}"
        answer = await self.gateway.commands.ask(command, self.who, target=where, fingerprint=fingerprint)
        if answer.state == "sent":
            raise Refused(503, "there is no answer yet whether this can be done: look, before it is asked for again")
        return answer


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
