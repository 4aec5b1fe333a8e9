"""Subscriptions are locked before whatever is theirs: nobody who holds one waits for who waits for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from services.notifier import lanes, store
from services.notifier.channels import Channels
from services.notifier.channels.log import LogChannel
from services.notifier.context import Context
from services.notifier.delivery_worker import DeliveryWorker
from services.notifier.handlers import prune
from services.notifier.locking import lock_subscriptions_of_timers
from services.notifier.rules import Note
from services.notifier.settings import NotifierSettings
from shared.core.transaction import Job, Ledger, Timer, Transaction
from shared.messages.words import NotificationTopic
from shared.process.db import Pool, connect_pool
from shared.sealing import KeyPair
from tests.support.lock_orders import waits_empty_handed
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTE = Note(NotificationTopic.DONE, "it is done", "s-1")
SUBSCRIPTION = "select from subscription for update"


class Notifier(NamedTuple):
    """Its database, with a delivery to the log that is with the workers, as nobody has begun it."""

    pool: Pool
    context: Context
    job: Job


@pytest.fixture
async def notifier(world: World) -> AsyncIterator[Notifier]:
    context = Context(NotifierSettings(), KeyPair.of(world.home, "notifier"))
    async with await connect_pool(world.dsn("notifier")) as pool:
        ledger = Ledger(pool, "/test")
        async with ledger.transaction() as tx:
            await store.set_log_subscription(tx.conn, True)
            told = await store.put_notifications(tx.conn, [NOTE], NOW)
            await store.put_deliveries(tx.conn, [number for number, _ in told], NOW)
            await lanes.fill(tx, ["log"], 1)
        (job,) = await ledger.claim(lanes.QUEUE, "me", 1, 60)
        yield Notifier(pool, context, job)


async def test_a_try_that_ended_is_settled_with_the_subscription_before_its_job(notifier: Notifier) -> None:
    pool, context, job = notifier
    channels: Channels = {"log": LogChannel()}
    worker = DeliveryWorker(Ledger(pool, "/test"), channels, context, CollectorRegistry())
    await waits_empty_handed(pool, SUBSCRIPTION, "select from job for update", lambda _: worker.perform(job))
    assert await pool.fetchval("select state from delivery") == "delivered"


async def test_a_delivery_that_nobody_wants_leaves_with_the_subscription_before_its_job(notifier: Notifier) -> None:
    pool, context, job = notifier
    await pool.execute("update delivery set state = 'dropped', ended_at = now()")
    worker = DeliveryWorker(Ledger(pool, "/test"), {}, context, CollectorRegistry())
    await waits_empty_handed(pool, SUBSCRIPTION, "select from job for update", lambda _: worker.perform(job))
    assert await pool.fetchval("select count(*) from job") == 0


async def test_the_history_is_pruned_with_the_subscriptions_before_its_deliveries(notifier: Notifier) -> None:
    timers = [Timer("prune", "history", NOW)]
    await notifier.pool.execute("update notification set raised_at = '2000-01-01'")

    async def pruning(tx: Transaction) -> None:
        await lock_subscriptions_of_timers(tx, timers)
        await prune(notifier.context, tx, timers)

    await waits_empty_handed(notifier.pool, SUBSCRIPTION, "select from delivery for update", pruning)
    assert await notifier.pool.fetchval("select count(*) from delivery") == 0
