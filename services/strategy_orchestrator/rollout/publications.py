"""Strategies wait until the release that they go to is published; then they are planned as if created now, and begin if
somebody has applied them meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.gates.started import NOT_STARTED
from services.strategy_orchestrator.message_parts import abridged
from services.strategy_orchestrator.planning import Plan
from services.strategy_orchestrator.rollout import plans
from services.strategy_orchestrator.rollout.holding import hold_to_begin
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import TIMEOUT, UnitOfWork
from services.strategy_orchestrator.store.publications import Settled
from shared.core.transaction import Timer
from shared.messages.base import Fault
from shared.messages.catalog import PublicationSettled
from shared.messages.strategy import StrategySpec, Why
from shared.messages.words import StrategyState
from shared.wire.codec import Envelope

PUBLISHED = "published"
"""The timer at which a strategy goes on whose publication has ended; its key is the strategy's id."""

RELEASE_UNKNOWN = timedelta(seconds=1)
"""A release comes over another partition than the end of its publication: so soon it is looked for again."""

RELEASE_GONE = timedelta(minutes=5)
"""One that is not known so long after the end of its publication will not come: it was deleted since."""

UPLOAD_FAILED = "upload_failed"
MOST = 2_000
"""Characters of a reason."""


async def wait(work: UnitOfWork, tracked: TrackedStrategy) -> None:
    """Until the publication has ended, which may have been long ago, or the time of the strategy is up."""
    publication = tracked.now.publication or ""
    if await store.publications.await_publication(work.conn, publication, work.now):
        work.set_timer(PUBLISHED, tracked.now.id, work.now)
    if tracked.timeout:
        work.set_timer(TIMEOUT, tracked.now.id, work.now + tracked.timeout)


async def publications_settled(work: UnitOfWork, batch: Sequence[Envelope[PublicationSettled]]) -> None:
    """Learn how publications ended. Who waits for one goes on by a timer, so that planning has all locks it needs."""
    events = [envelope.data for envelope in batch]
    await store.publications.put_publications(work.conn, events, work.now)
    for strategy_id in await store.publications.waiting_for(work.conn, [event.publication for event in events]):
        work.set_timer(PUBLISHED, strategy_id, work.now)


async def published(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Plan strategies whose publication has ended, and begin those that were applied."""
    waiting = [one for one in await work.load(timer.key for timer in timers) if _waits(one)]
    settled = await store.publications.settled(work.conn, [one.now.publication or "" for one in waiting])
    for tracked in waiting:
        if (end := settled.get(tracked.now.publication or "")) is None:
            continue
        if why := _wrong(tracked, end):
            tracked.now = domain.fail(tracked.now, why)
        elif not end.known and work.now - end.at < RELEASE_GONE:
            work.set_timer(PUBLISHED, tracked.now.id, work.now + RELEASE_UNKNOWN)
        else:
            await _plan(work, tracked, end)


def _waits(tracked: TrackedStrategy) -> bool:
    return tracked.now.state is StrategyState.WAITING and tracked.deleted_at is None


def _wrong(tracked: TrackedStrategy, end: Settled) -> Why | None:
    if end.state != "available":
        return Why(code=UPLOAD_FAILED, message=_listed(end.faults) or f"the publication was {end.state}")
    if end.app != tracked.stored.app:
        app = tracked.stored.app
        message = f"what was published is a release of '{end.app}', but the strategy is about '{app}'"
        return Why(code=UPLOAD_FAILED, message=message)
    return None


async def _plan(work: UnitOfWork, tracked: TrackedStrategy, end: Settled) -> None:
    publication, begins = tracked.now.publication, tracked.now.begins
    asked = StrategySpec.model_validate({**tracked.stored.spec, "publication": None, "version": end.version})
    target, faults = await plans.target_of(work, asked)
    made = await plans.made(work, asked, target)
    if wrong := faults or made.faults:
        tracked.now = domain.fail(tracked.now, _why(wrong))
        return
    spec = asked.model_copy(update={"publication": publication, "version": target.version})
    await _keep(work, tracked, spec, made)
    planned = await work.reload(tracked.now.id)
    plans.tell(work, planned, spec, made)
    if begins:
        await _begin(work, planned, begins)


async def _keep(work: UnitOfWork, tracked: TrackedStrategy, spec: StrategySpec, made: Plan) -> None:
    kept, _ = abridged(spec)
    await store.publications.plan_strategy(work.conn, tracked.now.id, kept, made.left_out, NOT_STARTED)
    await store.strategies.insert_plan(work.conn, tracked.now.id, made, NOT_STARTED)


async def _begin(work: UnitOfWork, tracked: TrackedStrategy, started: str) -> None:
    """What cannot begin fails with the reason, for nobody waits for an answer; a retry tries it again."""
    try:
        async with work.whole_or_not(tracked):
            tracked.now = domain.begin(tracked.now, started)
            await hold_to_begin(work, tracked)
    except Refused as error:
        tracked.now = domain.fail(tracked.now, _why(error.faults))


def _why(faults: Sequence[Fault]) -> Why:
    return Why(code=faults[0].code, message=_listed([fault.message for fault in faults]))


def _listed(messages: Sequence[str]) -> str:
    return "; ".join(messages)[:MOST]
