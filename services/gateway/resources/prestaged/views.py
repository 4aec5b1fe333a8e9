"""What lies prestaged on a site, as the API shows it."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging


class PrestagedView(BaseModel):
    """A release whose content was sent to a site before it is needed there."""

    app: str
    version: str
    bundle_sha256: str
    bytes: int = Field(description="of all its content")
    items: int = Field(description="packages and images of it")
    complete: bool = Field(description="false: a prestage of it was interrupted, and a later one goes on there")
    platform: str | None = Field(description="for which its images are; null = it has none")
    at: datetime = Field(description="when the prestage of it ended")


class PrestagedQuery(Paging):
    """Filters of what lies prestaged."""

    app: str | None = None
