"""Wiring of the gateway: what it is made of."""

import asyncio
from collections.abc import Sequence
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.gateway.auth.tokens import LocalTokens, make_first_token
from services.gateway.commands.ask import Commands
from services.gateway.commands.pending import PendingAnswers
from services.gateway.commands.sealing import Sealing
from services.gateway.doors.door import Door
from services.gateway.doors.serving import DOORS, Doors
from services.gateway.doors.table import doors_that_are_on
from services.gateway.events.hub import Hub
from services.gateway.events.learning import learning, stream_types
from services.gateway.gateway import Gateway
from services.gateway.handlers import HANDLERS, LEARNING, TOPICS
from services.gateway.http import files, host, openapi, problems, routing
from services.gateway.http.load_shedding import LoadShedding
from services.gateway.http.measuring import Requests
from services.gateway.http.protocol import Runner
from services.gateway.http.routing import GATEWAY
from services.gateway.pruning import prunings
from services.gateway.resources.commands.projection import not_ours
from services.gateway.resources.table import ACTIONS, ROUTES
from services.gateway.settings import GatewaySettings
from shared.blobs import Blobs
from shared.core.bus import Linger
from shared.core.transaction import Ledger
from shared.core.wakeup import Wakeup
from shared.process.service import Service
from shared.sealing import KeyPair

ANSWER_SECONDS = 1.0
"""At a stop, requests that wait for the answer to their command get so long; then they are told that it was sent."""

LINGER = Linger(16_384, ms=25)
"""Steps that end one after another are learned together; a page, and the answer to a command, come so much later."""


async def wire(service: Service, own: GatewaySettings | None = None, open_doors: Sequence[Door] | None = None) -> None:
    """Fill in the handlers, the HTTP application and the parts that run beside the consumer.

    `open_doors`: None = those that the environment turns on.
    """
    own = own or GatewaySettings()
    service.settings = service.settings.model_copy(update={"http_port": own.port})
    pending, log_written = PendingAnswers(service.pool), Wakeup()
    sending = Ledger(service.pool, service.ledger.source)
    sending.outbox_filled = service.ledger.outbox_filled  # one relay sends for both
    service.ledger.begin = learning(pending, log_written)
    hub, types = Hub(service.pool, log_written, own), stream_types(LEARNING)
    tokens = LocalTokens(service.pool, own.token_cache_seconds)
    blobs = Blobs.open(service.settings)
    commands = Commands(sending, service.pool, pending, ACTIONS, own.answer_seconds)
    sealing = Sealing(service.pool, KeyPair.of(service.settings.home, "gateway"))
    parts = (service.pool, sending, pending, commands, sealing, hub, types, tokens, tokens, blobs)
    gateway = Gateway(service.settings, own, *parts)
    service.beginnings = [partial(make_first_token, service.pool, tokens, service.settings.home)]
    service.handlers, service.topics, service.skips = HANDLERS, TOPICS, not_ours
    service.linger = LINGER
    requests = Requests(service.metrics.registry, hub)
    limits = (requests.measure, LoadShedding(own.requests, service.metrics.registry).admit)
    service.http, service.runner = application(gateway, *limits), Runner
    service.http.on_shutdown.append(lambda _: let_go(gateway))
    doors = Doors(doors_that_are_on() if open_doors is None else open_doors, gateway, *limits)
    doors.beside(service.http)
    service.http[DOORS] = doors
    service.drains = [lambda: asyncio.sleep(own.drain_seconds)]
    service.parts += [hub.follow, hub.prune, pending.follow]
    service.prunings = prunings(own)


def application(gateway: Gateway, measure: Middleware, admit: Middleware) -> web.Application:
    """The HTTP application: problems inside of the measuring, so that these too are counted."""
    middlewares = [measure, problems.problems, host.must_be_a_host, admit]
    app = web.Application(middlewares=middlewares, client_max_size=problems.MAX_SPEC_BYTES)
    app[GATEWAY] = gateway
    routing.add(app, ROUTES)
    app.router.add_get("/openapi.json", openapi.serve)
    files.add_files(app)
    return app


async def let_go(gateway: Gateway) -> None:
    """No further request comes; end those that would last."""
    gateway.hub.close()
    await gateway.pending.end(ANSWER_SECONDS)
