"""Alarms: what is wrong with sites, as people and programs say."""

from services.gateway.commands.action import with_actions
from services.gateway.http.pages import Page, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.alarms import actions, store
from services.gateway.resources.alarms.views import AlarmQuery, AlarmView
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.resource import Resource
from shared.messages.words import Name, SiteName


async def list_alarms(call: Call) -> Page[AlarmView]:
    """GET /v1/alarms."""
    q = call.query
    site, alarm = start(q, "", "")
    where = {"site": q.site, "severity": q.severity, "management_affecting": q.management_affecting}
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_alarms(conn, (site, alarm), q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[AlarmView], shown, q, lambda row: [row["site"], row["alarm"]])


_ONE = "/v1/sites/{site}/alarms/{alarm}"
ROUTES = (
    Route("GET", "/v1/alarms", list_alarms, "Alarms by site and name", query=AlarmQuery, answer=Page[AlarmView]),
    command_route("PUT", _ONE, actions.RAISE, "Raise an alarm of a site, or say anew what it is"),
    command_route("DELETE", _ONE, actions.CLEAR, "Clear an alarm of a site"),
)

RESOURCE = Resource(
    {"alarms": "What is wrong with sites"},
    ROUTES,
    {"sites/{site}": SiteName, "alarms/{alarm}": Name},
    actions=actions.ACTIONS,
)
"""Its events are learned with those of sites: all of the fleet come in one order."""
