"""Handlers for releases that come and go."""

from collections.abc import Sequence

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.rollout.holding import withdrawn
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.rollout.waiting_steps import end_waiting
from shared.core.gone import first_ends, of_the_living
from shared.messages.catalog import ReleaseAvailable, ReleaseDeleted, ReleaseWithdrawn
from shared.wire.codec import Envelope


async def releases_available(work: UnitOfWork, batch: Sequence[Envelope[ReleaseAvailable]]) -> None:
    """Learn of releases."""
    living = await of_the_living(work.conn, batch)
    await store.releases.put_releases(work.conn, [envelope.data for envelope in living])


async def releases_withdrawn(work: UnitOfWork, batch: Sequence[Envelope[ReleaseWithdrawn]]) -> None:
    """No new strategy may choose them, and what waits to be brought to one of them ends at once."""
    gone = [envelope.data for envelope in await of_the_living(work.conn, batch)]
    await store.releases.withdraw_releases(work.conn, gone)
    for tracked in await work.load(await store.strategies.strategies_towards(work.conn, [r.app for r in gone])):
        versions = [release.version for release in gone if release.app == tracked.stored.app]
        await _withdraw(work, tracked, versions)


async def releases_deleted(work: UnitOfWork, batch: Sequence[Envelope[ReleaseDeleted]]) -> None:
    """They were withdrawn before; what comes later under the same version is another release."""
    if gone := await first_ends(work.conn, batch):
        await store.releases.delete_releases(work.conn, [envelope.data for envelope in gone])


async def _withdraw(work: UnitOfWork, tracked: TrackedStrategy, versions: Sequence[str]) -> None:
    """All of a strategy to that release ends; of one that leads sites to several, those steps are aborted."""
    if (goal := tracked.stored.version) is None:
        for version in versions:
            steps = await store.steps.abort_steps_towards(work.conn, tracked.now.id, version, withdrawn(version))
            await end_waiting(work, tracked, steps)
    elif goal in versions:
        tracked.now = domain.stop(tracked.now, withdrawn(goal))
