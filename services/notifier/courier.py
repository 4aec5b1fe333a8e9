"""The courier: performs delivery jobs. One try outside of any transaction, then one transaction with what it led to."""

import random
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.notifier import lanes, store
from services.notifier.channels import Channels
from services.notifier.desk import Desk
from services.notifier.domain import Outcome, Parcel, Reply, Result, judge
from services.notifier.news import note_of_dead
from services.notifier.raising import raise_notes
from services.notifier.telling import tell_deliveries, tell_subscription
from shared.core.transaction import Job, Ledger, Transaction
from shared.messages.notifier import DeliveryDied, DeliveryState

log = structlog.get_logger()


class Courier:
    """Delivers what the lanes let through. A crash between try and transaction tries again: receivers know the id."""

    def __init__(self, ledger: Ledger, channels: Channels, desk: Desk, registry: CollectorRegistry) -> None:
        self._ledger = ledger
        self._channels = channels
        self._desk = desk
        self._tries = Counter("belay_delivery_tries", "Tries to deliver, by result", ["result"], registry=registry)

    async def perform(self, job: Job) -> None:
        """One try of one delivery. Raises nothing but what the database does; then the job comes back.

        What breaks in a channel is a failed try too: a job that came back for ever would call the target for ever.
        """
        async with self._ledger.pool.acquire() as conn:
            parcel = await store.open_parcel(conn, job.id)
        if parcel is None:
            await self._forget(job)
            return
        started_at = datetime.now(UTC)
        outcome = await self._try(parcel)
        self._tries.labels(str(outcome.result)).inc()
        await self._settle(job, parcel, outcome, started_at)

    async def _try(self, parcel: Parcel) -> Outcome:
        try:
            return await self._channels[parcel.channel].deliver(parcel)
        except Exception as error:
            log.exception("a channel broke", action="channel_broke", delivery=parcel.delivery_id)
            return Outcome(Result.FAILED, f"Belay could not deliver it: {type(error).__name__}; its log says more")

    async def _forget(self, job: Job) -> None:
        """Nobody wants it any more: its subscription was removed or found dead, or the notification was pruned.

        Its place is free: others of its subscription may wait for it.
        """
        async with self._ledger.transaction() as tx:
            await tx.finish_jobs(lanes.QUEUE, [job])
            await lanes.fill(tx, [job.id.partition(":")[2]], self._desk.settings.per_subscription)

    async def _settle(self, job: Job, parcel: Parcel, outcome: Outcome, started_at: datetime) -> None:
        settings = self._desk.settings
        async with self._ledger.transaction() as tx:
            spread = random.random()  # noqa: S311 - spreads retries, guards nothing
            reply = judge(parcel, outcome, settings.retry_waits, tx.now, spread)
            if job.id not in await tx.finish_jobs(lanes.QUEUE, [job]):
                return  # its lease was lost: another worker decides
            # Dropped or forgotten meanwhile it leaves its place all the same.
            if await store.note_try(tx.conn, parcel, outcome, reply, started_at, tx.now):
                await self._tell(tx, parcel, reply)
            await lanes.fill(tx, [parcel.subscription], settings.per_subscription)

    async def _tell(self, tx: Transaction, parcel: Parcel, reply: Reply) -> None:
        if reply.quiet_until:
            await store.quiet_subscription(tx.conn, parcel.subscription, reply.quiet_until)
        await tell_deliveries(tx, [parcel.delivery_id])
        if reply.state is DeliveryState.DEAD and not parcel.is_test:
            await self._mourn(tx, parcel, reply)

    async def _mourn(self, tx: Transaction, parcel: Parcel, reply: Reply) -> None:
        """Tell of a dead delivery, and of its subscription if that is at fault."""
        facts = {"subscription": parcel.subscription, "notification_id": parcel.notification_id}
        log.warning("a delivery is dead", action="delivery_died", reason=reply.reason, **facts)
        died = DeliveryDied(delivery_id=parcel.delivery_id, tries=reply.tries, reason=reply.reason, **facts)
        tx.emit(died, sequence=1)
        if not reply.subscription_dead:
            return
        ended = await store.end_subscription(tx.conn, parcel.subscription, "dead", reply.reason, tx.now)
        if ended:
            subscription, dropped = ended
            tell_subscription(tx, subscription)
            await tell_deliveries(tx, dropped)
            await raise_notes(self._desk, tx, [(None, note_of_dead(subscription.name, reply.reason))])
