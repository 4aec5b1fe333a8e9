"""Wiring of the notifier."""

from datetime import UTC, datetime, timedelta
from functools import partial

from services.notifier import lanes, store
from services.notifier.channels import Channels
from services.notifier.channels.log import LogChannel
from services.notifier.channels.webhook import WebhookChannel
from services.notifier.context import Context
from services.notifier.delivery_worker import DeliveryWorker
from services.notifier.handlers import HANDLERS, TIMERS, of_a_strategy
from services.notifier.locking import lock_subscriptions_of_messages, lock_subscriptions_of_timers
from services.notifier.settings import NotifierSettings
from shared.core.bus import Linger
from shared.core.scheduler import Worker
from shared.core.transaction import Ledger
from shared.process.service import Service
from shared.sealing import KeyPair

TOPICS = ("notifier.commands", "catalog.events", "deployer.events", "strategy.events", "monitor.events")
LINGER = Linger(65_536)
"""It reads nearly all that happens, and cares for a little of it."""

FIRST_PRUNE = timedelta(minutes=1)


async def wire(service: Service) -> None:
    """Handlers, timers, and the part that delivers."""
    settings = NotifierSettings()
    context = Context(settings, KeyPair.of(service.settings.home, "notifier"))
    service.topics, service.skips, service.linger = TOPICS, of_a_strategy, LINGER
    ready = {handler: partial(handler, context) for handler in HANDLERS.values()}  # events of one handler come in order
    service.handlers = {kind: ready[handler] for kind, handler in HANDLERS.items()}
    service.timers = {kind: partial(handler, context) for kind, handler in TIMERS.items()}
    service.prepare, service.prepare_timers = lock_subscriptions_of_messages, lock_subscriptions_of_timers
    service.parts.append(partial(_deliver, service, context))
    service.beginnings = [partial(_begin, service.ledger, settings)]


async def _begin(ledger: Ledger, settings: NotifierSettings) -> None:
    """The setting's own subscription, and the timers that set themselves anew."""
    async with ledger.transaction() as tx:
        await store.set_log_subscription(tx.conn, settings.log_channel)
        tx.set_timer("prune", "history", datetime.now(UTC) + FIRST_PRUNE)
        tx.set_timer("report_key", "sealing", datetime.now(UTC))


async def _deliver(service: Service, context: Context) -> None:
    """Work the delivery jobs until cancelled."""
    settings = context.settings
    webhook = WebhookChannel(context.keys, settings)
    channels: Channels = {"webhook": webhook, "log": LogChannel()}
    deliveries = DeliveryWorker(service.ledger, channels, context, service.metrics.registry)
    worker = Worker(
        service.ledger,
        lanes.QUEUE,
        deliveries.perform,
        owner=service.settings.instance,
        at_once=settings.at_once,
        lease_seconds=service.settings.lease_seconds,
    )
    try:
        await worker.run()
    finally:
        await webhook.close()
