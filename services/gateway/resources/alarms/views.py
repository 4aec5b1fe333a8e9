"""Alarms as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.words import Severity


class AlarmView(BaseModel):
    """Something that is wrong with a site, as a person or a program said."""

    site: str
    alarm: str
    severity: str = Field(description="critical, major, minor or warning")
    management_affecting: bool = Field(description="while it lasts the site is not prestaged, unless by force")
    text: str
    raised_at: datetime = Field(description="when it was raised first since it was cleared")
    raised_by: str
    actions: list[str] = Field(description="what you may do with it now: clear")


class AlarmQuery(Paging):
    """Filters of alarms."""

    site: str | None = None
    severity: Severity | None = None
    management_affecting: bool | None = None
