"""Deployments as the API shows them."""

from datetime import datetime

from services.gateway.http.pages import Paging
from services.gateway.resources.sites.views import SiteDeployment
from shared.messages.words import DeploymentStatus


class DeploymentView(SiteDeployment):
    """An app on a site, and since when."""

    site: str
    strategy_id: str | None
    updated_at: datetime


class DeploymentQuery(Paging):
    """Filters of deployments."""

    site: str | None = None
    app: str | None = None
    status: DeploymentStatus | None = None
    version: str | None = None
