"""Every route of the door."""

from aiohttp import web

from services.gateway.doors.call import add_routes
from services.gateway.doors.sysinv import all_apps, apps, charts, directives, root, updates, uploads
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.sending import sent

ROUTES = (
    *apps.ROUTES,
    *all_apps.ROUTES,
    *uploads.ROUTES,
    *updates.ROUTES,
    *directives.ROUTES,
    *charts.ROUTES,
    *apps.ONE,
)


def add(app: web.Application) -> None:
    """Serve them."""
    root.add(app)
    add_routes(app, ROUTES, Call, sent)
