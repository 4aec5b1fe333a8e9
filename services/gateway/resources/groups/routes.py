"""Groups: sites with common rules."""

from typing import Any

from services.gateway.commands.action import with_actions
from services.gateway.domain import Role
from services.gateway.events.learning import Learning
from services.gateway.http.pages import Page, Paging, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.groups import actions, store
from services.gateway.resources.groups.projection import KINDS, learn_groups
from services.gateway.resources.groups.views import GroupView
from services.gateway.resources.resource import Resource
from shared.messages.words import Name


async def list_groups(call: Call) -> Page[GroupView]:
    """GET /v1/groups."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_groups(conn, after=after, limit=call.query.limit + 1)
    return page(Page[GroupView], [_group(row, call.who.role) for row in rows], call.query, lambda row: [row["name"]])


async def show_group(call: Call) -> GroupView:
    """GET /v1/groups/{name}."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_groups(conn, after="", limit=1, name=call.path["name"])
    if not rows:
        raise unknown("group", call.path["name"])
    return GroupView.model_validate(_group(rows[0], call.who.role))


def _group(row: Any, role: Role) -> dict[str, Any]:
    limit: str = row["max_parallel"]
    shown = {**row, "max_parallel": int(limit) if limit.isdigit() else limit}
    return with_actions(shown, actions.ACTIONS, role)


ROUTES = (
    Route("GET", "/v1/groups", list_groups, "Groups by name", query=Paging, answer=Page[GroupView]),
    command_route("POST", "/v1/groups", actions.CREATE, "Make a group"),
    Route("GET", "/v1/groups/{name}", show_group, "One group", answer=GroupView),
    command_route("PATCH", "/v1/groups/{name}", actions.UPDATE, "Change a group; what is left out stays"),
    command_route("DELETE", "/v1/groups/{name}", actions.DELETE, "Remove a group that has no sites"),
)

RESOURCE = Resource(
    {"groups": "Sites with common rules"},
    ROUTES,
    {"groups/{name}": Name},
    (Learning(learn_groups, KINDS),),
    actions=actions.ACTIONS,
)
