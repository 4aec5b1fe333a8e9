"""Doors are open as long as the API is: each on its own port, in the same process, under the same limits."""

from collections.abc import Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from services.gateway.doors.door import Door
from services.gateway.gateway import Gateway
from services.gateway.http.host import must_be_a_host
from services.gateway.http.protocol import Runner
from services.gateway.http.routing import GATEWAY

log = structlog.get_logger()

SHUTDOWN_SECONDS = 1
"""At a stop, requests under way get so long, as those of the API do."""


class Doors:
    """The doors of one replica. They open when the API does; they take nothing any more before it lets go of those who
    wait, so that a request at a door gets its answer too, and are gone when it is."""

    def __init__(self, doors: Sequence[Door], gateway: Gateway, measure: Middleware, admit: Middleware) -> None:
        self._doors = doors
        self._gateway = gateway
        self._measure, self._admit = measure, admit
        self._runners: list[web.AppRunner] = []
        self.ports: dict[str, int] = {}
        """By the name of the door, once it is open."""

    def beside(self, api: web.Application) -> None:
        """Open and close with this application."""
        api.on_startup.append(self._open)
        api.on_shutdown.insert(0, self._take_no_more)
        api.on_cleanup.append(self._close)

    async def _open(self, _: web.Application) -> None:
        """Raises OSError for a port that is taken."""
        for door in self._doors:
            runner = Runner(self._application(door), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            self._runners.append(runner)
            await runner.setup()
            # Replicas on one machine share the port, for clients know only the one.
            await web.TCPSite(runner, self._gateway.settings.http_host, door.port, reuse_port=True).start()
            self.ports[door.name] = runner.addresses[0][1]
            log.info("a door is open", action="door_opened", door=door.name, port=self.ports[door.name])

    def _application(self, door: Door) -> web.Application:
        middlewares = [self._measure, door.errors, must_be_a_host, self._admit]
        app = web.Application(middlewares=middlewares, client_max_size=door.most_bytes)
        app[GATEWAY] = self._gateway
        door.serve(app)
        return app

    async def _take_no_more(self, _: web.Application) -> None:
        for runner in self._runners:
            for site in list(runner.sites):
                await site.stop()

    async def _close(self, _: web.Application) -> None:
        for runner in self._runners:
            await runner.cleanup()


DOORS: web.AppKey[Doors] = web.AppKey("doors", Doors)
