"""What a door gives to the gateway."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware


@dataclass(frozen=True, slots=True)
class Door:
    """A foreign API. `port` 0 = any free one."""

    name: str
    port: int
    errors: Middleware
    """Turns whatever is raised below into an answer as that API words it."""

    serve: Callable[[web.Application], None]
    """Adds its routes. The parts of this replica are under `GATEWAY` of the application."""

    most_bytes: int
    """The largest body that it reads."""
