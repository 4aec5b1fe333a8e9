"""The door as the gateway opens it."""

from aiohttp import web

from services.gateway.doors import keystone
from services.gateway.doors.call import NUMBERS
from services.gateway.doors.door import Door
from services.gateway.doors.numbers import Numbers
from services.gateway.doors.sysinv import errors, root, routes
from services.gateway.doors.sysinv.call import OWN
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.http.problems import MAX_BYTES

NAME, TYPE = "sysinv", "platform"


def of_environment() -> Door | None:
    """The door, if a port is set for it."""
    return door(SysinvSettings())


def door(own: SysinvSettings) -> Door | None:
    """The door with these settings; None while it is off."""
    if own.port is None:
        return None

    def serve(app: web.Application) -> None:
        app[OWN], app[NUMBERS] = own, Numbers(NAME)
        keystone.add(app, keystone.Offer(NAME, TYPE, root.VERSION, own.url, own.token_hours))
        routes.add(app)

    return Door(NAME, own.port, errors.answer_errors, serve, MAX_BYTES)
