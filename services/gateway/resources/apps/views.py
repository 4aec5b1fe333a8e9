"""Apps as the API shows them."""

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging


class AppView(BaseModel):
    """An app: how many releases it has, the highest that is available, and on how many sites it runs."""

    app: str
    releases: int
    latest: str | None = Field(description="pre-releases count only with `prereleases`; null = there is none")
    deployments: int


class AppQuery(Paging):
    """Parameters of the list of apps."""

    prereleases: bool = Field(default=False, description="let `latest` be a pre-release, too")
