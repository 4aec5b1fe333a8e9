"""Sites, groups, and what runs where."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from services.gateway.api.bodies import formed, hidden_faults, read_object, without
from services.gateway.api.commands import CommandAnswer
from services.gateway.api.filters import refuse_unknown
from services.gateway.api.pages import Page, Paging, page, start
from services.gateway.api.problems import Problem, unknown
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_route, send
from services.gateway.domain import Role
from services.gateway.store import fleet as store
from services.gateway.store.catalog import as_published
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import ChangeSites, CreateGroup, DeleteGroup, RegisterSites, RemoveSites, UpdateGroup
from shared.messages.words import DeploymentStatus
from shared.process.db import Connection

OF_SITE = frozenset({"selection", "fleet"})
"""Fields of a change that the path gives, or that are constant."""


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
    driver: str
    params: dict[str, Any]
    managed: bool
    simplex: bool
    held_by: Holder | None
    deployments: list[SiteDeployment]


class GroupView(BaseModel):
    """A group and its number of sites."""

    name: str
    description: str
    apply_type: str
    max_parallel: int | str
    sites: int


class DeploymentView(SiteDeployment):
    """An app on a site, and since when."""

    site: str
    strategy_id: str | None
    updated_at: datetime


LabelIs = Annotated[str, Field(json_schema_extra={"pattern": r"^[^=]+=[\s\S]*$"})]


class SiteQuery(Paging):
    """Filters of sites."""

    group: str | None = None
    label: list[LabelIs] = Field(default=[], description="key=value; several must all hold")
    q: str | None = Field(default=None, description="a part of the name")
    held: bool | None = None


class DeploymentQuery(Paging):
    """Filters of deployments."""

    site: str | None = None
    app: str | None = None
    status: DeploymentStatus | None = None
    version: str | None = None


async def list_sites(call: Call) -> Page[SiteView]:
    """GET /v1/sites."""
    q = call.query
    (after,) = start(q, "")
    where = {"group": q.group, "labels": labels_of(q.label), "q": q.q, "held": q.held}
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_sites(conn, after=after, limit=q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    return page(Page[SiteView], rows, q, lambda row: [row["name"]])


def labels_of(texts: list[str]) -> dict[str, str] | None:
    """`["zone=north"]` -> `{"zone": "north"}`; None for none. Raises Problem 422."""
    wrong = [text for text in texts if not text.partition("=")[0] or "=" not in text]
    if wrong:
        message = "must be key=value, such as zone=north"
        code = ErrorCode.INVALID_FIELD
        raise Problem.of([Fault(code=code, field="label", message=message, value=text) for text in wrong])
    return {key: value for key, _, value in (text.partition("=") for text in texts)} or None


async def show_site(call: Call) -> SiteView:
    """GET /v1/sites/{name}."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_sites(conn, after="", limit=1, name=call.path["name"])
    if not rows:
        raise unknown("site", call.path["name"])
    return SiteView.model_validate(dict(rows[0]))


async def change_site(call: Call) -> web.Response:
    """PATCH /v1/sites/{name}."""
    body = await read_object(call.request)
    facts = {key: value for key, value in body.items() if key not in OF_SITE}
    selection = {"sites": [call.path["name"]]}
    return await send(call, formed(ChangeSites, {**facts, "selection": selection}, faults=hidden_faults(body, OF_SITE)))


async def remove_site(call: Call) -> web.Response:
    """DELETE /v1/sites/{name}."""
    return await send(call, formed(RemoveSites, {"names": [call.path["name"]]}))


async def list_groups(call: Call) -> Page[GroupView]:
    """GET /v1/groups."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_groups(conn, after=after, limit=call.query.limit + 1)
    return page(Page[GroupView], [_group(row) for row in rows], call.query, lambda row: [row["name"]])


async def show_group(call: Call) -> GroupView:
    """GET /v1/groups/{name}."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_groups(conn, after="", limit=1, name=call.path["name"])
    if not rows:
        raise unknown("group", call.path["name"])
    return GroupView.model_validate(_group(rows[0]))


def _group(row: Any) -> dict[str, Any]:
    limit: str = row["max_parallel"]
    return {**row, "max_parallel": int(limit) if limit.isdigit() else limit}


async def list_deployments(call: Call) -> Page[DeploymentView]:
    """GET /v1/deployments."""
    q = call.query
    where = {"site": q.site, "app": q.app, "status": q.status, "version": q.version}
    async with call.gateway.pool.acquire() as conn:
        if q.app and q.version:
            where["version"] = await as_published(conn, q.app, q.version)
        rows = await store.list_deployments(conn, start(q, "", ""), limit=q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    return page(Page[DeploymentView], rows, q, lambda row: [row["site"], row["app"]])


async def _sites_shown(conn: Connection, commands: Mapping[str, RegisterSites]) -> set[str]:
    wanted = {command_id: {site.name for site in command.sites} for command_id, command in commands.items()}
    known = await store.known_sites(conn, sorted(set().union(*wanted.values())))
    return {command_id for command_id, names in wanted.items() if names <= known}


async def _groups_shown(conn: Connection, commands: Mapping[str, CreateGroup]) -> set[str]:
    known = await store.known_groups(conn, sorted({command.name for command in commands.values()}))
    return {command_id for command_id, command in commands.items() if command.name in known}


ROUTES = (
    Route("GET", "/v1/sites", list_sites, "Sites by name", query=SiteQuery, answer=Page[SiteView]),
    command_route("POST", "/v1/sites", RegisterSites, "Add sites, or replace them, all or none", shown=_sites_shown),
    command_route("PATCH", "/v1/sites", ChangeSites, "Change the sites of a selection; what is left out stays"),
    Route("GET", "/v1/sites/{name}", show_site, "One site", answer=SiteView),
    Route(
        "PATCH", "/v1/sites/{name}", change_site, "Change a site; what is left out stays", Role.OPERATOR,
        body=without(ChangeSites, OF_SITE), answer=CommandAnswer, status=202, command=True,
    ),
    Route(
        "DELETE", "/v1/sites/{name}", remove_site, "Forget a site", Role.OPERATOR,
        answer=CommandAnswer, status=202, command=True,
    ),
    Route("GET", "/v1/groups", list_groups, "Groups by name", query=Paging, answer=Page[GroupView]),
    command_route("POST", "/v1/groups", CreateGroup, "Make a group", shown=_groups_shown),
    Route("GET", "/v1/groups/{name}", show_group, "One group", answer=GroupView),
    command_route("PATCH", "/v1/groups/{name}", UpdateGroup, "Change a group; what is left out stays"),
    command_route("DELETE", "/v1/groups/{name}", DeleteGroup, "Remove a group that has no sites"),
    Route(
        "GET", "/v1/deployments", list_deployments, "What runs where",
        query=DeploymentQuery, answer=Page[DeploymentView],
    ),
)  # fmt: skip
