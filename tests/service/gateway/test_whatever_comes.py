"""No request whatever finds a defect: each route of the API and of the doors, as the routers have them, is asked with
what parsers, decoders and databases break at."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, islice, product

import pytest
from aiohttp import web

from services.gateway.doors.dcmanager.door import door as dcmanager
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.serving import DOORS
from services.gateway.doors.sysinv.door import door as sysinv
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.http.routing import Route
from services.gateway.resources.table import ROUTES
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.line import once
from tests.service.gateway.oddities import BODIES, FORMS, FRAMES, HEADERS, KINDS, PARTS, VALUES
from tests.support.world import World

pytestmark = [
    pytest.mark.service,
    pytest.mark.timeout(300),
    # aiohttp passes by what it cannot read of a part's name, and warns its developer.
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam"),
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader"),
]


@dataclass(frozen=True)
class Place:
    """A route, where it is served."""

    url: str
    method: str
    path: str
    route: Route | None = None
    """Of the API; doors tell less of theirs."""

    @property
    def query(self) -> list[str]:
        return [*self.route.query.model_fields] if self.route else ["type", "directive"]

    @property
    def body(self) -> list[str]:
        return [*self.route.body.model_fields] if self.route and self.route.body else []

    @property
    def parts(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def start(self, part: str = "a", query: str = "") -> str:
        path = re.sub(r"{(\w+)}", lambda found: part if found[1] != "offset" else "0", self.path)
        return f"{self.method} {path}{query}"


@dataclass(frozen=True)
class Request:
    place: Place
    start: str
    headers: tuple[str, ...] = ()
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.place.url} {self.start[:99]} {[one[:60] for one in self.headers]} {self.body[:99]!r}"


def places_of(app: web.Application, url: str) -> Iterator[Place]:
    known = {(route.method, route.path): route for route in ROUTES}
    for route in app.router.routes():
        if route.resource is not None and route.method != "HEAD":
            path = route.resource.canonical.replace("{slash}", "")
            yield Place(url, route.method, path, known.get((route.method, path)))


@asynccontextmanager
async def everything(world: World) -> AsyncIterator[tuple[Api, list[Place]]]:
    """A gateway with every door, whose commands nobody answers, and all that it serves."""
    doors = [dcmanager(DcmanagerSettings(port=0, app="a")), sysinv(SysinvSettings(port=0, site="a"))]
    async with gateway(world, doors=[door for door in doors if door], answer_seconds=0.05) as api:
        assert api.service.http is not None
        places = list(places_of(api.service.http, api.url))
        opened = api.service.http[DOORS]
        for name, runner in zip(opened.ports, opened._runners, strict=True):
            places += places_of(runner.app, f"http://127.0.0.1:{opened.ports[name]}")
        yield api, places


def with_odd_parts(place: Place) -> Iterator[Request]:
    for part in PARTS:
        if place.parts:
            yield Request(place, place.start(part))
        if place.method == "GET":
            for name in (*place.query, part):
                yield Request(place, place.start(query=f"?{name}={part}"))
            yield Request(place, place.start(query=f"?limit={part}&limit={part}"))


def with_odd_headers(place: Place) -> Iterator[Request]:
    for headers in HEADERS:
        yield Request(place, place.start(), headers)


def with_odd_bodies(place: Place) -> Iterator[Request]:
    if place.method == "GET":
        return
    for body in BODIES:
        yield Request(place, place.start(), ("Content-Type: application/json",), body)
    for kind in KINDS:
        yield Request(place, place.start(), (f"Content-Type: {kind}",), b"{}")
    for boundary, form in product(("b", "b" * 40), FORMS):
        kind, body = (
            f"Content-Type: multipart/form-data; boundary={boundary}",
            form.replace(b"--b", f"--{boundary}".encode()),
        )
        yield Request(place, place.start(), (kind,), body)
    for header, body in FRAMES:
        yield Request(place, place.start(), (header,), body)


def with_odd_fields(place: Place) -> Iterator[Request]:
    for value in VALUES if place.body else ():
        fields = b",".join(b'"%s":%s' % (name.encode(), value) for name in place.body)
        yield Request(place, place.start(), (), b"{%s}" % fields)


WAYS = (with_odd_parts, with_odd_headers, with_odd_bodies, with_odd_fields)
EVERY = (pytest.param(8, id="some"), pytest.param(1, id="all", marks=[pytest.mark.long, pytest.mark.timeout(1200)]))
"""Each route gets one oddity of so many, the next route those beside them."""


@pytest.mark.parametrize("every", EVERY)
async def test_no_request_whatever_finds_a_defect(world: World, every: int, capsys: pytest.CaptureFixture[str]) -> None:
    async with everything(world) as (api, places):
        asked = (chain.from_iterable(way(place) for way in WAYS) for place in places)
        shares = (islice(requests, number % every, None, every) for number, requests in enumerate(asked))
        requests = chain.from_iterable(shares)
        faults = await asyncio.gather(*(_faults(api, requests) for _ in range(8)))
        assert not any(faults), "\n".join(chain.from_iterable(faults))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err


async def _faults(api: Api, requests: Iterator[Request]) -> list[str]:
    """What is wrong with the answers, as long as there are requests: several take from one iterator."""
    found = [(request, await _fault(api, request)) for request in requests]
    return [f"{request}: {fault}" for request, fault in found if fault]


async def _fault(api: Api, request: Request) -> str:
    """What is wrong with the answer; empty = nothing. That nobody answers a command here is no fault."""
    headers = (*request.headers, "Prefer: respond-async", f"X-Auth-Token: {api.token}")
    try:
        said = await once(api, request.start, *headers, body=request.body, url=request.place.url)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
        return repr(error)
    awaited = said.status == 503 and (b"no answer yet" in said.body or b"public key yet" in said.body)
    return f"{said.status} {said.body[:300]!r}" if said.status >= 500 and not awaited else ""
