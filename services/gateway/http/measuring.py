"""How long requests take, for Prometheus."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Gauge, Histogram

from services.gateway.events.hub import Hub

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STREAM = "/v1/events"


class Requests:
    """Counts and durations by method, route and status. The stream is left out: it lasts as long as its client."""

    def __init__(self, registry: CollectorRegistry, hub: Hub) -> None:
        labels = ["method", "route", "status"]
        self._seconds = Histogram(
            "belay_http_request_seconds", "Time to the whole answer", labels, registry=registry, buckets=BUCKETS
        )
        clients = Gauge("belay_stream_clients", "Clients of the event stream", registry=registry)
        clients.set_function(lambda: hub.clients)

    @web.middleware
    async def measure(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Outermost, so that problems are counted with their status."""
        begun = time.perf_counter()
        response = await handler(request)
        route = request.match_info.route.resource
        name = route.canonical if route else "none"
        if name != STREAM:
            self._seconds.labels(request.method, name, str(response.status)).observe(time.perf_counter() - begun)
        return response
