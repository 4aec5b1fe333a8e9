"""Handlers for releases that come and go."""

from collections import Counter
from collections.abc import Sequence

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.rollout.unit_of_work import Conductor, Score, withdrawn
from services.strategy_orchestrator.store.row import Row
from shared.core.transaction import Transaction
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.wire.codec import Envelope


async def releases_available(tx: Transaction, batch: Sequence[Envelope[ReleaseAvailable]]) -> None:
    """Learn of releases."""
    await store.releases.put_releases(tx.conn, [envelope.data for envelope in batch])


async def releases_withdrawn(tx: Transaction, batch: Sequence[Envelope[ReleaseWithdrawn]]) -> None:
    """No new strategy may choose them, and what waits to be brought to one of them ends at once."""
    gone = [envelope.data for envelope in batch]
    await store.releases.withdraw_releases(tx.conn, gone)
    conductor = Conductor(tx)
    for score in await conductor.load(await store.strategies.strategies_towards(tx.conn, [r.app for r in gone])):
        versions = [release.version for release in gone if release.app == score.row["app"]]
        await _withdraw(conductor, score, versions)
    await conductor.finish()


async def _withdraw(conductor: Conductor, score: Score, versions: Sequence[str]) -> None:
    """All of a strategy to that release ends; of one that leads sites to several, those steps are aborted."""
    if score.row["version"] in versions:
        score.now = domain.stop(score.now, withdrawn(score.row["version"]))
    elif score.row["version"] is None:
        for version in versions:
            rows = await store.steps.abort_steps_towards(conductor.tx.conn, score.now.id, version, withdrawn(version))
            await _abort(conductor, score, rows)


async def _abort(conductor: Conductor, score: Score, rows: Sequence[Row]) -> None:
    score.aborted(rows)
    for stage, count in Counter(row["stage"] for row in rows if row["was_parked"]).items():
        score.recount(stage, parked=-count)
    if score.groups:
        await conductor.places.drop(rows)
