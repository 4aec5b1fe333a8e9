"""Runs over the apps of a site, as the API shows them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.automatic import RunItem
from shared.messages.base import Cause


class SiteRunView(BaseModel):
    """The apps of a site, updated or taken back one after the other: what was done, what failed, what was left."""

    run_id: str
    site: str
    kind: str = Field(description="update or rollback; apply or remove: an operation, and what it needed before")
    state: str = Field(description="running, stopping, done, failed or aborted")
    items: list[RunItem] = Field(description="in their order")
    cause: Cause | None
    requested_by: str
    started_at: datetime
    finished_at: datetime | None
    actions: list[str] = Field(description="what you may do with it now: cancel")


class SiteRunQuery(Paging):
    """Filters of runs."""

    site: str | None = None
    state: Literal["running", "stopping", "done", "failed", "aborted"] | None = None
