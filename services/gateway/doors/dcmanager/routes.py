"""Every route of the door."""

from aiohttp import web

from services.gateway.doors.dcmanager import strategies
from services.gateway.doors.dcmanager.call import add_routes

ROUTES = (*strategies.ROUTES,)


def add(app: web.Application) -> None:
    """Serve them."""
    add_routes(app, ROUTES)
