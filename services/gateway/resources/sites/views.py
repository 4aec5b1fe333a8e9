"""Sites as the API shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging


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


class SiteView(BaseModel):
    """A site, who holds it, and what runs there."""

    name: str
    group: str | None
    labels: dict[str, str]
    connections: dict[str, dict[str, Any]] = Field(description="by driver that reaches it, what that one must know")
    managed: bool
    simplex: bool
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
