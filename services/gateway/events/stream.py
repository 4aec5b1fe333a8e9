"""The event stream (SSE): everything of low rate, as it happens, with resume."""

import asyncio
import re
from collections.abc import Iterable

from aiohttp import web
from pydantic import Field

from services.gateway.events.hub import Interest, Item, Mailbox
from services.gateway.http.headers import header
from services.gateway.http.pages import LARGEST, Query
from services.gateway.http.problems import Problem
from services.gateway.http.routing import Call, Route, token_of
from services.gateway.resources.resource import Resource
from services.gateway.resources.strategies.routes import found
from shared.core.errors import is_transient
from shared.messages.base import ErrorCode, Fault

HEARTBEAT_SECONDS = 15.0
WRITE_SECONDS = 30.0
"""A client that takes nothing for so long is let go."""

LAST_EVENT_ID = "Last-Event-ID"
EVENT_ID = "[0-9]{1,19}"
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamQuery(Query):
    """What to show."""

    strategy: str | None = Field(default=None, description="id or name: only its events")
    types: str | None = Field(
        default=None, description="short types separated by commas: stage_progressed,steps_changed"
    )
    last_event_id: str | None = Field(default=None, description=f"for clients that cannot set {LAST_EVENT_ID}")
    access_token: str | None = Field(default=None, description="for clients that cannot set Authorization")


async def stream(call: Call) -> web.StreamResponse:
    """GET /v1/events."""
    if call.gateway.hub.full:
        raise Problem(503, "stream_full", "too many clients listen already", headers={"Retry-After": "5"})
    resume_from = _resume_from(call)
    interest = await _interest(call)
    if call.request.method == "HEAD":
        return web.Response(headers=HEADERS)
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(call.request)
    try:
        await _tell(call, response, interest, resume_from)
    except (ConnectionError, TimeoutError):
        response.force_close()
    return response


def _resume_from(call: Call) -> int | None:
    text = header(call.request, LAST_EVENT_ID) or call.query.last_event_id
    if not text:
        return None
    if not re.fullmatch(EVENT_ID, text) or int(text) > LARGEST:
        message = "must be the id of an event of this stream, a whole number"
        raise Problem.because(ErrorCode.INVALID_FIELD, message, LAST_EVENT_ID, text[:200])
    return int(text)


async def _interest(call: Call) -> Interest:
    types = frozenset(filter(None, (call.query.types or "").split(",")))
    known = call.gateway.stream_types
    if wrong := sorted(types - known):
        message = f"there is no such event; there are {', '.join(sorted(known))}"
        raise Problem.of(
            [Fault(code=ErrorCode.INVALID_FIELD, field="types", message=message, value=name) for name in wrong]
        )
    if call.query.strategy is None:
        return Interest(None, types or None)
    async with call.gateway.pool.acquire() as conn:
        strategy = await found(conn, call.query.strategy)
    return Interest(strategy["strategy_id"], types or None)


async def _tell(call: Call, response: web.StreamResponse, interest: Interest, resume_from: int | None) -> None:
    """First what was missed, then what comes. The mailbox is there before the log is read, so nothing falls between."""
    hub = call.gateway.hub
    with hub.subscribe(interest) as mailbox:
        here = hub.position
        await _write(response, b"retry: 1000\n" if resume_from is not None else f"retry: 1000\nid: {here}\n\n".encode())
        after = here if resume_from is None else resume_from
        while after != here and not hub.closed:
            items, after = await hub.missed(after, here, interest)
            await _send(response, items)
        while not hub.closed and await _may_listen(call):
            await _send_next(call, response, mailbox)


async def _may_listen(call: Call) -> bool:
    """A token may be deleted while its stream is open. While nobody can say whether it was, who listens goes on."""
    try:
        return await call.gateway.verifier.verify(token_of(call.request, in_query=True)) is not None
    except Exception as error:
        if not is_transient(error):
            raise
        return True


async def _send_next(call: Call, response: web.StreamResponse, mailbox: Mailbox) -> None:
    items = await mailbox.take(HEARTBEAT_SECONDS)
    # Where the stream stands, also for a client whose filter lets little through: it resumes from here.
    position = call.gateway.hub.position
    if items:
        await _send(response, items)
    else:
        await _write(response, f": still here\nid: {position}\n\n".encode())


async def _send(response: web.StreamResponse, items: Iterable[Item]) -> None:
    for item in items:
        await _write(response, item.frame)


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)


ROUTES = (
    Route(
        "GET", "/v1/events", stream, "Events as they happen",
        query=StreamQuery, content="text/event-stream", token_in_query=True,
    ),
)  # fmt: skip


RESOURCE = Resource({"events": "What happens, as it happens"}, ROUTES)
