"""The courier: performs delivery jobs. One try outside of any transaction, then one turn with what it led to."""

import random
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.notifier import lanes, store
from services.notifier.channels import Channels
from services.notifier.domain import BackOff, DeliveryState, Outcome, Parcel, Verdict, judge
from services.notifier.settings import NotifierSettings
from shared.ledger import Job, Ledger, Turn
from shared.messages.notifier import DeliveryDied, SubscriptionChanged

log = structlog.get_logger()


class Courier:
    """Delivers what the lanes let through. A crash between the try and its turn tries again: receivers know the id."""

    def __init__(
        self, ledger: Ledger, channels: Channels, settings: NotifierSettings, registry: CollectorRegistry
    ) -> None:
        self._ledger = ledger
        self._channels = channels
        self._limit = settings.per_subscription
        first, most = timedelta(seconds=settings.back_off_seconds), timedelta(seconds=settings.back_off_most_seconds)
        self._back_off = BackOff(settings.delivery_tries, first, most)
        self._tries = Counter("belay_delivery_tries", "Tries to deliver, by result", ["result"], registry=registry)

    async def perform(self, job: Job) -> None:
        """One try of one delivery. Raises nothing but what the database does; then the job comes back."""
        async with self._ledger.pool.acquire() as conn:
            parcel = await store.open_parcel(conn, job.id)
        if parcel is None:
            await self._forget(job)
            return
        started_at = datetime.now(UTC)
        outcome = await self._channels[parcel.channel].deliver(parcel)
        self._tries.labels(str(outcome.result)).inc()
        await self._settle(job, parcel, outcome, started_at)

    async def _forget(self, job: Job) -> None:
        """Nobody wants it any more: its subscription was removed or found dead, or the notification was pruned."""
        async with self._ledger.turn() as turn:
            await turn.finish_jobs(lanes.QUEUE, [job])

    async def _settle(self, job: Job, parcel: Parcel, outcome: Outcome, started_at: datetime) -> None:
        async with self._ledger.turn() as turn:
            spread = random.random()  # noqa: S311 - spreads retries, guards nothing
            verdict = judge(parcel, outcome, self._back_off, turn.now, spread)
            if not await _still_ours(turn, job, verdict):
                return
            if not await store.note_try(turn.conn, parcel, verdict, started_at, turn.now):
                return
            if verdict.state is DeliveryState.DEAD:
                await _mourn(turn, parcel, verdict)
            if verdict.retry_at is None:
                await lanes.fill(turn, [parcel.subscription], self._limit)


async def _still_ours(turn: Turn, job: Job, verdict: Verdict) -> bool:
    """Give the job back or take it off; False when its lease was lost: then another worker decides."""
    if verdict.retry_at is not None:
        return job.id in await turn.return_jobs(lanes.QUEUE, [(job, verdict.retry_at)])
    return job.id in await turn.finish_jobs(lanes.QUEUE, [job])


async def _mourn(turn: Turn, parcel: Parcel, verdict: Verdict) -> None:
    """Tell of a dead delivery, and of its subscription if that is at fault."""
    facts = {"subscription": parcel.subscription, "notification_id": parcel.notification_id}
    log.warning("a delivery is dead", action="delivery_died", reason=verdict.reason, **facts)
    died = DeliveryDied(delivery_id=parcel.delivery_id, tries=verdict.tries, reason=verdict.reason, **facts)
    turn.emit(died, sequence=1)
    if not verdict.subscription_dead:
        return
    ended = await store.end_subscription(turn.conn, parcel.subscription, "dead", verdict.reason, turn.now)
    if ended:
        url, topics, sequence = ended
        changed = {"name": parcel.subscription, "url": url, "topics": topics, "reason": verdict.reason}
        turn.emit(SubscriptionChanged(state="dead", **changed), sequence=sequence)
