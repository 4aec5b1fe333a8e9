"""Wiring of the gateway: what it is made of."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

from aiohttp import web

from services.gateway.auth.tokens import Tokens, make_first_token
from services.gateway.commands.batcher import Gathering
from services.gateway.commands.read_your_writes import look
from services.gateway.commands.sender import post
from services.gateway.commands.waiting import Waiting
from services.gateway.events.hub import Hub
from services.gateway.events.learning import LearningLedger
from services.gateway.gateway import Gateway
from services.gateway.handlers import HANDLERS, TOPICS
from services.gateway.http import files, openapi, problems, routing
from services.gateway.http.load_shedding import Crowd
from services.gateway.http.measuring import Requests
from services.gateway.http.protocol import Runner
from services.gateway.http.routing import GATEWAY
from services.gateway.resources.commands import store as commands
from services.gateway.resources.commands.projection import not_ours
from services.gateway.resources.notifications import store as notifications
from services.gateway.resources.operations import store as operations
from services.gateway.resources.subscriptions import store as subscriptions
from services.gateway.resources.table import ROUTES
from services.gateway.settings import GatewaySettings
from shared.blobs import Blobs
from shared.core.bus import Linger
from shared.core.errors import is_transient
from shared.process.db import Pool
from shared.process.service import Service

ANSWER_SECONDS = 1.0
"""At a stop, requests that wait for the answer to their command get so long; then they are told that it was sent."""

PRUNE_SECONDS = 600
PRUNED_AT_ONCE = 10_000

NOTIFICATION_DAYS, NOTIFICATIONS = 90, 10_000
"""How long, and how many, notifications are kept: as the notifier does, unless it is told otherwise. What it no longer
knows nobody could mark as read any more."""

LINGER = Linger(16_384, ms=25)
"""Steps that end one after another are learned together; a page, and the answer to a command, come so much later."""


async def wire(service: Service, knobs: GatewaySettings | None = None) -> None:
    """Fill in the handlers, the HTTP application and the parts that run beside the consumer."""
    knobs = knobs or GatewaySettings()
    service.settings = service.settings.model_copy(update={"http_port": knobs.port})
    waiting = Waiting(service.pool)
    learning = LearningLedger(service.pool, service.ledger.source, waiting)
    sending = service.ledger
    learning.outbox_filled = sending.outbox_filled  # one relay sends for both
    hub = Hub(service.pool, learning.news_written, knobs)
    tokens = Tokens(service.pool, knobs.token_cache_seconds)
    blobs = Blobs.open(service.settings)
    postbox = Gathering(partial(post, sending))
    showing = Gathering(partial(look, service.pool))
    gateway = Gateway(service.settings, knobs, service.pool, sending, waiting, postbox, showing, hub, tokens, blobs)
    await make_first_token(service.pool, tokens, service.settings.home)
    service.ledger, service.handlers, service.topics, service.skips = learning, HANDLERS, TOPICS, not_ours
    service.linger = LINGER
    requests, crowd = Requests(service.metrics.registry, hub), Crowd(knobs.requests, service.metrics.registry)
    service.http, service.runner = application(gateway, requests, crowd), Runner
    service.http.on_shutdown.append(lambda _: let_go(gateway))
    service.drains = [lambda: asyncio.sleep(knobs.drain_seconds)]
    service.parts += [hub.follow, hub.prune, waiting.follow, lambda: forget(service.pool, knobs.history_days)]


def application(gateway: Gateway, requests: Requests, crowd: Crowd) -> web.Application:
    """The HTTP application: problems inside of the measuring, so that these too are counted."""
    middlewares = [requests.measure, problems.problems, crowd.admit]
    app = web.Application(middlewares=middlewares, client_max_size=problems.MAX_SPEC_BYTES)
    app[GATEWAY] = gateway
    routing.add(app, ROUTES)
    app.router.add_get("/openapi.json", openapi.serve)
    files.add_files(app)
    return app


async def let_go(gateway: Gateway) -> None:
    """No further request comes; end those that would last."""
    gateway.hub.close()
    await gateway.waiting.end(ANSWER_SECONDS)


async def forget(pool: Pool, days: float) -> None:
    """Forget answered commands, ended operations and deliveries after some days, and old notifications, until
    cancelled. The audit stays."""
    while True:
        now = datetime.now(UTC)
        before = now - timedelta(days=days)
        try:
            async with pool.acquire() as conn:
                await commands.prune(conn, before)
                await notifications.prune_notifications(conn, now - timedelta(days=NOTIFICATION_DAYS), NOTIFICATIONS)
                for prune in (operations.prune, subscriptions.prune):
                    while await prune(conn, before, PRUNED_AT_ONCE) == PRUNED_AT_ONCE:
                        pass
        except Exception as error:
            if not is_transient(error):
                raise
        await asyncio.sleep(PRUNE_SECONDS)
