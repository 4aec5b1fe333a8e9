"""Performs delivery jobs: one try outside of any transaction, then one transaction with what it led to."""

import random
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.notifier import lanes, store
from services.notifier.announcing import tell_deliveries, tell_subscription
from services.notifier.channels import Channels
from services.notifier.context import Context
from services.notifier.domain import Attempt, DeliveryRequest, Judgement, Result, judge
from services.notifier.raising import raise_notes
from services.notifier.rules import note_of_dead
from shared.core.transaction import Job, Ledger, Transaction
from shared.messages.notifier import DeliveryDied, DeliveryState

log = structlog.get_logger()


class DeliveryWorker:
    """Delivers what the lanes let through. A crash between try and transaction tries again: receivers know the id."""

    def __init__(self, ledger: Ledger, channels: Channels, context: Context, registry: CollectorRegistry) -> None:
        self._ledger = ledger
        self._channels = channels
        self._context = context
        self._tries = Counter("belay_delivery_tries", "Tries to deliver, by result", ["result"], registry=registry)

    async def perform(self, job: Job) -> None:
        """One try of one delivery. Raises nothing but what the database does; then the job comes back.

        What breaks in a channel is a failed try too: a job that came back for ever would call the target for ever.
        """
        async with self._ledger.pool.acquire() as conn:
            request = await store.open_delivery(conn, job.id)
        if request is None:
            await self._forget(job)
            return
        started_at = datetime.now(UTC)
        attempt = await self._try(request)
        self._tries.labels(str(attempt.result)).inc()
        await self._settle(job, request, attempt, started_at)

    async def _try(self, request: DeliveryRequest) -> Attempt:
        try:
            return await self._channels[request.channel].deliver(request)
        except Exception as error:
            log.exception("a channel broke", action="channel_broke", delivery=request.delivery_id)
            return Attempt(Result.FAILED, f"Belay could not deliver it: {type(error).__name__}; its log says more")

    async def _forget(self, job: Job) -> None:
        """Nobody wants it any more: its subscription was removed or found dead, or the notification was pruned.

        Its place is free: others of its subscription may wait for it.
        """
        name = job.id.partition(":")[2]
        async with self._ledger.transaction() as tx:
            await store.lock_subscriptions(tx.conn, [name])
            await tx.finish_jobs(lanes.QUEUE, [job])
            await lanes.fill(tx, [name], self._context.settings.per_subscription)

    async def _settle(self, job: Job, request: DeliveryRequest, attempt: Attempt, started_at: datetime) -> None:
        settings = self._context.settings
        async with self._ledger.transaction() as tx:
            spread = random.random()  # noqa: S311 - spreads retries, guards nothing
            judgement = judge(request, attempt, settings.retry_waits, tx.now, spread)
            # Before job and delivery: whoever holds a subscription queues its jobs, and drops its deliveries.
            await store.lock_subscriptions(tx.conn, None if judgement.subscription_dead else [request.subscription])
            if job.id not in await tx.finish_jobs(lanes.QUEUE, [job]):
                return  # its lease was lost: another worker decides
            # Dropped or forgotten meanwhile it leaves its place all the same.
            if await store.note_try(tx.conn, request, attempt, judgement, started_at, tx.now):
                await self._tell(tx, request, judgement)
            await lanes.fill(tx, [request.subscription], settings.per_subscription)

    async def _tell(self, tx: Transaction, request: DeliveryRequest, judgement: Judgement) -> None:
        if judgement.quiet_until:
            await store.quiet_subscription(tx.conn, request.subscription, judgement.quiet_until)
        await tell_deliveries(tx, [request.delivery_id])
        if judgement.state is DeliveryState.DEAD and not request.is_test:
            await self._report_dead(tx, request, judgement)

    async def _report_dead(self, tx: Transaction, request: DeliveryRequest, judgement: Judgement) -> None:
        """Tell of a dead delivery, and of its subscription if that is at fault."""
        facts = {"subscription": request.subscription, "notification_id": request.notification_id}
        log.warning("a delivery is dead", action="delivery_died", reason=judgement.reason, **facts)
        died = DeliveryDied(delivery_id=request.delivery_id, tries=judgement.tries, reason=judgement.reason, **facts)
        tx.emit(died, sequence=1)
        if not judgement.subscription_dead:
            return
        ended = await store.end_subscription(tx.conn, request.subscription, "dead", judgement.reason, tx.now)
        if ended:
            subscription, dropped = ended
            tell_subscription(tx, subscription)
            await tell_deliveries(tx, dropped)
            await raise_notes(self._context, tx, [(None, note_of_dead(subscription.name, judgement.reason))])
