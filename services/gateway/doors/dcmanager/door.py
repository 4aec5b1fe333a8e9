"""The door as the gateway opens it."""

from aiohttp import web

from services.gateway.doors.dcmanager import errors, keystone, routes
from services.gateway.doors.dcmanager.call import PARTS, DcmanagerParts
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.door import Door
from services.gateway.doors.numbers import Numbers
from services.gateway.http.problems import MAX_BYTES

NAME = "dcmanager"


def of_environment() -> Door | None:
    """The door, if a port is set for it."""
    return door(DcmanagerSettings())


def door(own: DcmanagerSettings) -> Door | None:
    """The door with these settings; None while it is off."""
    if own.port is None:
        return None

    def serve(app: web.Application) -> None:
        app[PARTS] = DcmanagerParts(own, Numbers(NAME))
        keystone.add(app)
        routes.add(app)

    return Door(NAME, own.port, errors.answer_errors, serve, MAX_BYTES)
