"""Apps, their releases, and the bundles these come in."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.api.filters import refuse_unknown
from services.gateway.api.pages import Page, Paging, page, start
from services.gateway.api.problems import unknown
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_route
from services.gateway.store import catalog as store
from shared.messages.base import Fault
from shared.messages.catalog import Required, WithdrawRelease
from shared.versions import latest

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class AppView(BaseModel):
    """An app: how many releases it has, the highest that is available, and on how many sites it runs."""

    app: str
    releases: int
    latest: str | None = Field(description="pre-releases count only with `prereleases`; null = there is none")
    deployments: int


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
    components: list[dict[str, Any]]
    requires: Required
    published_at: datetime


class BundleView(BaseModel):
    """An uploaded bundle and what the catalog found."""

    bundle_sha256: str
    file_name: str
    state: Literal["validating", "available", "rejected"]
    app: str | None
    version: str | None
    faults: list[Fault]


class AppQuery(Paging):
    """Parameters of the list of apps."""

    prereleases: bool = Field(default=False, description="let `latest` be a pre-release, too")


class ReleaseQuery(Paging):
    """Filters of releases."""

    app: str | None = None
    state: Literal["available", "withdrawn"] | None = None


async def show_bundle(call: Call) -> BundleView:
    """GET /v1/bundles/{sha256}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_bundle(conn, call.path["sha256"])
    if row is None:
        raise unknown("bundle", call.path["sha256"])
    return BundleView.model_validate(dict(row))


async def list_apps(call: Call) -> Page[AppView]:
    """GET /v1/apps."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_apps(conn, after, call.query.limit + 1)
    shown = [_app(dict(row), call.query.prereleases) for row in rows]
    return page(Page[AppView], shown, call.query, lambda row: [row["app"]])


def _app(row: dict[str, Any], prereleases: bool) -> dict[str, Any]:
    releases = row["releases"]
    available = [version for _, version, state in releases if state == "available"]
    highest = latest(releases[-1][0], available, prereleases=prereleases) if releases else None
    return {**row, "releases": len(releases), "latest": highest}


async def list_releases(call: Call) -> Page[ReleaseView]:
    """GET /v1/releases."""
    q = call.query
    before = start(q, END_OF_TIME, "", "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_releases(conn, before, q.limit + 1, app=q.app, state=q.state)
        await refuse_unknown(conn, rows, q)
    return page(Page[ReleaseView], rows, q, lambda row: [row["published_at"], row["app"], row["version"]])


async def show_release(call: Call) -> ReleaseView:
    """GET /v1/releases/{app}/{version}: also by another spelling of its version, such as 1.0 for 1.0.0."""
    app, version = call.path["app"], call.path["version"]
    async with call.gateway.pool.acquire() as conn:
        published = await store.as_published(conn, app, version)
        rows = await store.list_releases(conn, (END_OF_TIME, "", ""), 1, app=app, version=published)
    if not rows:
        raise unknown("release", f"{app} {version}")
    return ReleaseView.model_validate(dict(rows[0]))


WITHDRAW = "/v1/releases/{app}/{version}/withdraw"
ROUTES = (
    Route("GET", "/v1/bundles/{sha256}", show_bundle, "What became of a bundle", answer=BundleView),
    Route("GET", "/v1/apps", list_apps, "Apps", query=AppQuery, answer=Page[AppView]),
    Route("GET", "/v1/releases", list_releases, "Releases, newest first", query=ReleaseQuery, answer=Page[ReleaseView]),
    Route("GET", "/v1/releases/{app}/{version}", show_release, "One release", answer=ReleaseView),
    command_route("POST", WITHDRAW, WithdrawRelease, "Let no new operation choose a release"),
)  # fmt: skip
