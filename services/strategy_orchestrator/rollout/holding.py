"""What a strategy does before it starts: hold the sites of all that waits."""

from dataclasses import replace

from services.strategy_orchestrator import store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.holds import NotHeld
from shared.messages.base import Fault
from shared.messages.strategy import BATCH, SitesHeld, Why

REMOVED = Why(code="site_removed", message="the site was removed; there is nothing left to do")
"""The reason of a step that is skipped because its site is gone."""


def withdrawn(version: str) -> Why:
    """The reason of what is not done because its release was withdrawn."""
    return Why(code="release_withdrawn", message=f"release {version} was withdrawn")


async def hold(work: UnitOfWork, tracked: TrackedStrategy) -> None:
    """Hold the sites of all waiting steps; those whose site was removed, or whose own release was withdrawn, are
    skipped.

    Raises Refused when one of them cannot be had, or when the release of all was withdrawn since the plan.
    """
    await _skip_withdrawn(work, tracked)
    strategy_id = tracked.now.id
    names = await store.holds.hold_sites(work.conn, strategy_id)
    missing = await store.holds.sites_not_held(work.conn, strategy_id)
    if any(site.held_by is None for site in missing):
        await _skip_removed(work, tracked)
        missing = await store.holds.sites_not_held(work.conn, strategy_id)
    if missing:
        raise Refused(*map(_held_by_another, missing))
    tracked.groups = await store.groups.make_queues(work.conn, strategy_id)
    work.slots.read_anew(strategy_id)
    parts = (tuple(names[start : start + BATCH]) for start in range(0, len(names), BATCH))
    events = [SitesHeld(strategy_id=strategy_id, strategy=tracked.now.name, names=part) for part in parts]
    emit_fleet(work, [(event, strategy_id) for event in events])


async def hold_to_begin(work: UnitOfWork, tracked: TrackedStrategy) -> None:
    """Hold the sites of a strategy that starts. Raises Refused when that cannot be, or nothing is left to do."""
    await hold(work, tracked)
    if not tracked.now.counts.waiting:
        message = f"nothing is left to do in strategy {tracked.now.name}: sites were removed, or releases withdrawn"
        raise Refused(Fault(code="nothing_to_do", field="strategy", message=message, value=tracked.now.name))


async def _skip_withdrawn(work: UnitOfWork, tracked: TrackedStrategy) -> None:
    for version in await store.releases.withdrawn_targets(work.conn, tracked.now.id):
        if tracked.stored.version is not None:
            raise Refused(_not_reachable(tracked, version))
        aborted = await store.steps.abort_steps_towards(work.conn, tracked.now.id, version, withdrawn(version))
        tracked.aborted([ended.step for ended in aborted])


async def _skip_removed(work: UnitOfWork, tracked: TrackedStrategy) -> None:
    """A site that was scrapped must not keep all others from going on."""
    steps = await store.steps.skip_removed(work.conn, tracked.now.id, REMOVED)
    tracked.aborted(steps)
    tracked.now = replace(tracked.now, skipped=tracked.now.skipped + len(steps))


def _held_by_another(missing: NotHeld) -> Fault:
    message = f"strategy {missing.held_by} holds site '{missing.site}'; a site takes part in one strategy at a time"
    return Fault(code="site_held", field="strategy", message=message, value=missing.site)


def _not_reachable(tracked: TrackedStrategy, version: str) -> Fault:
    message = f"release {version} of {tracked.stored.app} was withdrawn; create a strategy to another release"
    return Fault(code="release_withdrawn", field="strategy", message=message, value=version)
