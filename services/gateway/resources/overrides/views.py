"""Overrides as the API shows them."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from services.gateway.http.pages import Paging, Query
from shared.messages.base import Model
from shared.messages.overrides import Level, ValueChange
from shared.messages.words import Name, SiteName, Version


class OverrideView(BaseModel):
    """What is set for a component at one level."""

    level: Level
    target: str | None = Field(description="the group or the site; of the fleet none")
    component: str
    values: dict[str, Any] = Field(description="a secret stands in them by its name")
    enabled: bool | None = Field(description="whether it is deployed; null = as below")
    namespace: str | None
    nth: int = Field(description="so many changes were made there")
    at: datetime
    by: str
    reason: str


class SetOverrideView(OverrideView):
    """The same with what may be done with it."""

    actions: list[str] = Field(description="what you may do with it now: set, restore, clear")


class Layered(BaseModel):
    """What one level sets."""

    level: Level
    target: str | None
    values: dict[str, Any]
    enabled: bool | None
    namespace: str | None
    nth: int
    at: datetime
    by: str
    reason: str


class MergedView(BaseModel):
    """A component as it would be deployed: the values of a release with all levels over them."""

    app: str
    component: str
    version: str | None = Field(description="the release: the one that runs on the site, else the newest; null = none")
    release_values: dict[str, Any] = Field(description="of the release alone")
    levels: list[Layered] = Field(description="what is set, the weakest level first")
    values: dict[str, Any] = Field(description="all together; null = taken away")
    origins: dict[str, str] = Field(description="by the path of each value: release, fleet, group or site")
    enabled: bool = Field(description="whether the component is deployed")
    namespace: str | None


class OverridesQuery(Paging):
    """Filters of what is set."""

    level: Level | None = None
    target: SiteName | None = None
    component: Name | None = None


class PlaceQuery(Query):
    """For whom; without any it is the fleet."""

    group: Name | None = None
    site: SiteName | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.group and self.site:
            raise ValueError("site: give `group` or `site`; a site has the overrides of its group anyway")
        return self


class MergedQuery(PlaceQuery):
    """And which release."""

    version: Version | None = None


class HistoryQuery(Paging):
    """For whom; without any it is the fleet."""

    group: Name | None = None
    site: SiteName | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.group and self.site:
            raise ValueError("site: give `group` or `site`; each has its own history")
        return self


class OverrideDrift(Model):
    """A component of a deployment for which something else is set now than when it came."""

    component: str
    values: tuple[ValueChange, ...] = ()
    attributes: tuple[str, ...] = ()
