"""Sites as the API shows them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.words import Availability


class SiteDeployment(BaseModel):
    """An app on a site."""

    app: str
    version: str | None
    status: str
    operation_id: str | None


class Holder(BaseModel):
    """The strategy that a site takes part in."""

    strategy_id: str
    strategy: str


class Cause(BaseModel):
    """Why a site does not answer."""

    code: str
    message: str


class SiteAlarm(BaseModel):
    """Something that is wrong with a site, as a person or a program said."""

    alarm: str
    severity: str
    management_affecting: bool
    text: str
    raised_at: datetime
    raised_by: str


class SiteView(BaseModel):
    """A site, whether it answers, what is wrong with it, who holds it, and what runs there."""

    name: str
    group: str | None
    labels: dict[str, str]
    connections: dict[str, dict[str, Any]] = Field(description="by driver that reaches it, what that one must know")
    managed: bool
    maintenance: bool
    simplex: bool
    availability: str = Field(description="online, offline, or unknown: not asked yet, or nobody can ask it")
    since: datetime | None = Field(description="so long it has been so; null = it was not asked yet")
    seen_at: datetime | None = Field(description="its last sign of life")
    checked_at: datetime | None = Field(description="when it was asked last, as far as that is told")
    cause: Cause | None = Field(description="why it does not answer, be it offline for that yet or not")
    free_bytes: int | None = Field(description="room for what is sent there; null = not known")
    facts: dict[str, str] = Field(description="of its platform: what people told, over what its drivers found")
    told_facts: dict[str, str] = Field(description="those that people told")
    alarms: list[SiteAlarm]
    held_by: Holder | None
    deployments: list[SiteDeployment]
    actions: list[str] = Field(description="what you may do with it now: change, remove")


LabelIs = Annotated[str, Field(json_schema_extra={"pattern": r"^[^=]+=[\s\S]*$"})]


class SiteQuery(Paging):
    """Filters of sites."""

    group: str | None = None
    label: list[LabelIs] = Field(default=[], description="key=value; several must all hold")
    q: str | None = Field(default=None, description="a part of the name")
    held: bool | None = None
    availability: Availability | None = None
    managed: bool | None = None
    maintenance: bool | None = None
    alarms: bool | None = Field(default=None, description="whether there is any")
