"""The audit as the API shows it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.domain import Role
from services.gateway.http.pages import Moment, Paging
from shared.messages.base import Fault


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
