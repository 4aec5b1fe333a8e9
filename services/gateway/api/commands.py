"""Commands that were sent: their answers, and the audit of who sent them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.api.pages import LARGEST, Moment, Page, Paging, page, start
from services.gateway.api.problems import unknown
from services.gateway.api.routes import Call, Route
from services.gateway.domain import Role
from services.gateway.store import commands as store
from services.gateway.store.commands import AuditFilter
from shared.messages.base import Fault


class CommandAnswer(BaseModel):
    """What came of a command: `accepted` with ids of what it created, or `sent` while its owner has not answered."""

    command_id: str
    state: Literal["sent", "accepted"]
    result: dict[str, Any] = {}


class CommandView(BaseModel):
    """A command and its answer."""

    command_id: str
    type: str
    state: Literal["sent", "accepted", "rejected"]
    result: dict[str, Any]
    faults: list[Fault]
    actor: str
    sent_at: datetime
    answered_at: datetime | None


class AuditView(BaseModel):
    """Who did what, when, and what came of it."""

    id: int
    at: datetime
    actor: str
    role: Role
    action: str = Field(description="type of the command, or what was done in the gateway itself")
    target: str = Field(description="path of the request")
    about: str = Field(description="names of what it is about, in one line")
    result: str = Field(description="sent, accepted, rejected, or done (in the gateway itself)")
    command_id: str | None
    body: dict[str, Any] | None = Field(description="the command; null once it is forgotten")
    faults: list[Fault] | None


class AuditQuery(Paging):
    """Filters of the audit."""

    actor: str | None = Field(default=None, description="name of the token")
    about: str | None = Field(default=None, max_length=200, description="part of a name or path, whatever its case")
    action: str | None = Field(default=None, max_length=200, description="part of the action: `abort_strategy`")
    result: Literal["sent", "accepted", "rejected", "done"] | None = None
    since: Moment | None = None
    until: Moment | None = None


async def show(call: Call) -> CommandView:
    """GET /v1/commands/{command_id}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find(conn, call.path["command_id"])
    if row is None:
        raise unknown("command", call.path["command_id"])
    return CommandView.model_validate(dict(row))


async def audit(call: Call) -> Page[AuditView]:
    """GET /v1/audit."""
    (before,) = start(call.query, LARGEST)
    wanted = AuditFilter(**call.query.model_dump(exclude={"limit", "cursor"}))
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_audit(conn, before, call.query.limit + 1, wanted)
    return page(Page[AuditView], rows, call.query, lambda row: [row["id"]])


ROUTES = (
    Route("GET", "/v1/commands/{command_id}", show, "The answer to a command", answer=CommandView),
    Route("GET", "/v1/audit", audit, "Who did what", Role.ADMIN, query=AuditQuery, answer=Page[AuditView]),
)
