"""The door as the gateway opens it."""

from aiohttp import web

from services.gateway.doors import keystone
from services.gateway.doors.call import NUMBERS
from services.gateway.doors.dcmanager import errors, routes
from services.gateway.doors.dcmanager.call import OWN
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.door import Door
from services.gateway.doors.numbers import Numbers
from services.gateway.http.problems import MAX_BYTES

NAME, VERSION = "dcmanager", "/v1.0"


def of_environment() -> Door | None:
    """The door, if a port is set for it."""
    return door(DcmanagerSettings())


def door(own: DcmanagerSettings) -> Door | None:
    """The door with these settings; None while it is off."""
    if own.port is None:
        return None

    def serve(app: web.Application) -> None:
        app[OWN], app[NUMBERS] = own, Numbers(NAME)
        keystone.add(app, keystone.Offer(NAME, NAME, VERSION, own.url, own.token_hours))
        routes.add(app)

    return Door(NAME, own.port, errors.answer_errors, serve, MAX_BYTES)
