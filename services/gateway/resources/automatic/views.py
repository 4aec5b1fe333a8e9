"""What goes by itself, as the API shows it."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.automatic import ComponentDrift, FailedOn, Switches


class BehaviourView(BaseModel):
    """What people switched of what is done by itself with an app; what is null is as its release says."""

    app: str
    switches: Switches
    reason: str
    changed_at: datetime
    changed_by: str = Field(description="empty = nobody said")
    actions: list[str] = Field(description="what you may do with it now: set, reapply")


class FailedReleaseView(BaseModel):
    """A release that failed in an apply or update, whoever asked for it."""

    app: str
    version: str
    failures: int = Field(description="sites where it failed, and which nobody has cleared")
    barred: bool = Field(description="nothing that goes by itself chooses it until it is cleared")
    sites: list[FailedOn] = Field(description="the last 20 of them")
    at: datetime
    actions: list[str] = Field(description="what you may do with it now: clear_failed")


class DriftView(BaseModel):
    """An app on a site that is not as it was left, or not as it should be."""

    site: str
    app: str
    version: str | None
    components: list[ComponentDrift]
    then: str = Field(description="what follows: told, put_right or given_up")
    found_at: datetime


class FailedReleaseQuery(Paging):
    """Filters of releases that failed."""

    app: str | None = None


class DriftQuery(Paging):
    """Filters of what is not as it was left."""

    site: str | None = None
    app: str | None = None
