"""Every route of the door."""

from aiohttp import web

from services.gateway.doors import keystone
from services.gateway.doors.call import add_routes, as_json
from services.gateway.doors.dcmanager import groups, not_offered, options, strategies, subclouds
from services.gateway.doors.dcmanager.call import Call

ROUTES = (*strategies.ROUTES, *subclouds.ROUTES, *groups.ROUTES, *options.ROUTES, *not_offered.ROUTES)


async def versions(request: web.Request) -> web.Response:
    """GET /: for everybody."""
    base = keystone.base_of(request)
    ours = {"id": "v1.0", "status": "CURRENT", "updated": "2017-10-2", "links": keystone.links_to(f"{base}/v1.0/")}
    return as_json({"versions": [ours, keystone.as_version(base)]})


def add(app: web.Application) -> None:
    """Serve them."""
    app.router.add_get("/", versions, allow_head=False)
    add_routes(app, ROUTES, Call, lambda _, answer: as_json(answer))
