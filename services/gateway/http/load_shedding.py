"""How many requests may be inside at once: the rest is told to come again, so that a slow database fills no memory."""

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Gauge

from services.gateway.http.problems import Problem

UNCOUNTED = frozenset({"/v1/events", "/healthz", "/readyz", "/metrics"})
"""The event stream has a limit of its own; how we are must be told above all when there are too many."""


class LoadShedding:
    """The requests of one replica that are not answered yet."""

    def __init__(self, limit: int, registry: CollectorRegistry) -> None:
        self._limit = limit
        self._inside = 0
        gauge = Gauge("belay_http_requests_inside", "Requests not yet answered", registry=registry)
        gauge.set_function(lambda: self._inside)

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Raises Problem 503 before anything of the request is read."""
        if request.path in UNCOUNTED:
            return await handler(request)
        if self._inside >= self._limit:
            detail = f"{self._limit} requests wait here already; the same request may succeed in a moment"
            raise Problem(503, "too_busy", detail, headers={"Retry-After": "1"})
        self._inside += 1
        try:
            return await handler(request)
        finally:
            self._inside -= 1
