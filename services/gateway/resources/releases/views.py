"""Releases as the API shows them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.base import Cause
from shared.messages.catalog import ContentItem, ContentNote, Origin, Required, Signature
from shared.messages.rules import Rules


class PreparationView(BaseModel):
    """What is had ready of a release, once for all sites."""

    state: str = Field(description="preparing, prepared or failed", examples=["prepared"])
    bytes: int | None = Field(description="of all that lies in the blob store for it; null before that")
    site_bytes: int | None = Field(description="what is sent to a site that has none of it, for all platforms")
    items: int = Field(description="how many there are: see /content")
    notes: list[ContentNote] = Field(description="what components do not bring by themselves, and why")
    cause: Cause | None = Field(description="why it failed")
    changed_at: datetime


class ContentView(BaseModel):
    """What a release brings to sites, as it lies in the blob store."""

    items: list[ContentItem]
    notes: list[ContentNote]


class DeletionView(BaseModel):
    """Somebody wants it gone."""

    state: str = Field(description="asked, or refused: somebody needs it", examples=["refused"])
    cause: Cause | None = Field(description="why it stays")
    at: datetime


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
    rules: Rules = Field(description="what it needs of a site, and what is done by itself")
    images: list[str] = Field(description="that its containers and rendered charts name")
    notices: list[str] = Field(description="what its bundle says that has no meaning here, each with why")
    published_at: datetime
    preparation: PreparationView | None = Field(description="null = nobody has asked for it yet")
    signature: Signature | None = Field(description="by which key its bundle was signed; null = by none")
    origin: Origin | None = Field(description="from where its bundle was fetched; null = it was uploaded")
    deletion: DeletionView | None = Field(description="null = nobody wanted it gone")
    actions: list[str] = Field(description="what you may do with it now: prepare, withdraw, delete")


class ReleaseQuery(Paging):
    """Filters of releases."""

    app: str | None = None
    state: Literal["available", "withdrawn"] | None = None
