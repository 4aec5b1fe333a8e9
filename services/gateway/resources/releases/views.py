"""Releases as the API shows them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.catalog import Required


class ReleaseView(BaseModel):
    """One version of an app."""

    release_id: str
    app: str
    version: str
    state: Literal["available", "withdrawn"]
    description: str
    upgrades_from: list[str] | None = Field(description="ranges of versions; null = any")
    bundle_sha256: str
    bundle_bytes: int
    components: list[dict[str, Any]] = Field(description="driver, name, after and spec of each")
    max_parallel_components: int | None = Field(description="of one site, at once; null = all that `after` allows")
    requires: Required
    published_at: datetime
    actions: list[str] = Field(description="what you may do with it now: withdraw")


class ReleaseQuery(Paging):
    """Filters of releases."""

    app: str | None = None
    state: Literal["available", "withdrawn"] | None = None
