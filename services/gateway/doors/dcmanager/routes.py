"""Every route of the door."""

from aiohttp import web

from services.gateway.doors.dcmanager import groups, not_offered, options, strategies, subclouds
from services.gateway.doors.dcmanager.call import add_routes

ROUTES = (*strategies.ROUTES, *subclouds.ROUTES, *groups.ROUTES, *options.ROUTES, *not_offered.ROUTES)


def add(app: web.Application) -> None:
    """Serve them."""
    add_routes(app, ROUTES)
