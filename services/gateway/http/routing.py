"""A route as data, and how a request reaches its handler: who is calling, may they, and what do they ask."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from aiohttp import web
from pydantic import BaseModel, ValidationError

from services.gateway.commands.ask import allow
from services.gateway.domain import Identity, Role
from services.gateway.gateway import Gateway
from services.gateway.http import media
from services.gateway.http.pages import Query
from services.gateway.http.paths import pattern_of
from services.gateway.http.problems import Problem, is_text
from shared.messages.base import ErrorCode, Fault, faults_of

GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in."""

    request: web.Request
    gateway: Gateway
    who: Identity
    query: Any
    """The validated parameters: an instance of the route's `query`."""

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the path."""
        return self.request.match_info


Answer = BaseModel | web.StreamResponse


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path, and all that the API's description says of it."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    summary: str
    role: Role = Role.VIEWER
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    command: bool = False
    """Takes an Idempotency-Key and waits for the owner's answer."""

    content: str = "application/json"
    """Of the answer."""

    upload: bool = False
    """The body is a file, not JSON."""

    media: tuple[str, ...] = ()
    """Of that file, where it is of no usual kind."""

    headers: tuple[Mapping[str, Any], ...] = ()
    """Headers that it reads beside the usual ones, as the description shows them."""

    expect: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
    """Asked by a client that waits before it sends its body; None = it may send it."""

    token_in_query: bool = False
    """Also takes ?access_token=, for clients that cannot set headers."""

    @property
    def takes(self) -> tuple[str, ...]:
        """Media types of the body; none where there is no body."""
        return self.media or media.BUNDLE if self.upload else media.JSON if self.body else ()


def add(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Serve the routes. HEAD is GET, of which aiohttp sends no body."""
    for route in routes:
        resource = app.router.add_resource(pattern_of(route.path))
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            resource.add_route(method, endpoint(route), expect_handler=route.expect or go_on)


async def go_on(request: web.Request) -> None:
    """Ask for the body of a request that waits for that (Expect: 100-continue); any other expectation is ignored.

    aiohttp by itself refuses these outside of every middleware.
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # this is no answer yet: a refusal may still take its place


def endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What aiohttp calls for a route. Raises Problem for who may not, or asks what cannot be."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway = request.app[GATEWAY]
        who = await identify(request, gateway, route)
        allow(who, route.role)
        if route.takes:
            media.check(request, route.takes, packed=not route.upload)
        answer = await route.handler(Call(request, gateway, who, _query(request, route.query)))
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=answer.model_dump_json(), status=route.status, content_type="application/json")

    return handle


async def identify(request: web.Request, gateway: Gateway, route: Route) -> Identity:
    """Who holds the token of the request. Raises Problem 401."""
    if not (token := token_of(request, in_query=route.token_in_query)):
        headers = {"WWW-Authenticate": 'Bearer realm="belay"'}
        raise Problem(401, "token_needed", "send a token: Authorization: Bearer belay_…", headers=headers)
    if (who := await gateway.verifier.verify(token)) is None:
        headers = {"WWW-Authenticate": 'Bearer realm="belay", error="invalid_token"'}
        raise Problem(401, "wrong_token", "this token is not valid, or was deleted", headers=headers)
    return who


def token_of(request: web.Request, *, in_query: bool) -> str:
    """The token that was sent; empty where none was. `in_query`: it may come as a parameter."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not token and in_query:
        scheme, token = "bearer", request.query.get("access_token", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def _query(request: web.Request, kind: type[Query]) -> Query:
    given: dict[str, Any] = {}
    faults = list(_unstorable([*request.match_info.items(), *request.query.items()]))
    for name in dict.fromkeys(request.query):
        values = request.query.getall(name)
        given[name] = values if _takes_many(kind, name) else values[-1]
        if len(values) > 1 and not _takes_many(kind, name):
            faults.append(_repeated(name, values))
    try:
        query = kind.model_validate(given)
    except ValidationError as error:
        raise Problem.of([*faults, *faults_of(error)]) from error
    if faults:
        raise Problem.of(faults)
    return query


def _repeated(name: str, values: list[str]) -> Fault:
    message = f"is given {len(values)} times, of which only one could count; leave all but one out"
    return Fault(code=ErrorCode.INVALID_FIELD, field=name, message=message, value=", ".join(values)[:200])


def _takes_many(kind: type[Query], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and get_origin(field.annotation) is list


def _unstorable(texts: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """PostgreSQL has no text with U+0000 or half a surrogate pair in it."""
    message = "must be text without the character U+0000"
    for name, text in texts:
        if "\x00" in text or not is_text(text):
            yield Fault(code=ErrorCode.INVALID_FIELD, field=name.replace("\x00", "�"), message=message)
