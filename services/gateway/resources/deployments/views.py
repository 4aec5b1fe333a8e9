"""Deployments as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from services.gateway.resources.operations.views import OperationDetail
from services.gateway.resources.overrides.views import OverrideDrift
from services.gateway.resources.sites.views import SiteDeployment
from shared.messages.words import DeploymentStatus


class SecretSetAgain(BaseModel):
    """A secret with which something was deployed, and that was set again since; never its value."""

    name: str
    deployed: int = Field(description="the version with which it was deployed")
    now: int = Field(description="the version that is there: a reapply brings it")


class DeploymentView(SiteDeployment):
    """An app on a site, and since when."""

    site: str
    strategy_id: str | None
    updated_at: datetime
    overrides_changed: bool = Field(description="something else is set for it now than when its release came")
    secrets_changed: list[SecretSetAgain] = Field(description="secrets that were set again since it was deployed")


class DeploymentDetail(DeploymentView):
    """An app on a site, with the operation that left it so: its plan, phases and evidence."""

    last: OperationDetail | None = Field(description="the operation that ended last; null = not kept any more")
    changed: list[OverrideDrift] = Field(description="what is set for it now, and was not when its release came")
    running: OperationDetail | None = Field(description="the one that is queued or runs; null = none")


class DeploymentQuery(Paging):
    """Filters of deployments."""

    site: str | None = None
    app: str | None = None
    status: DeploymentStatus | None = None
    version: str | None = None
    overrides_changed: bool | None = Field(default=None, description="true: only those that a reapply may change")
    secrets_changed: bool | None = Field(
        default=None, description="true: only those that run with another version of a secret than there is now"
    )
