"""A run is told of as a whole: what was done, what failed, what was left and why."""

from dataclasses import replace
from datetime import datetime

from services.deployer.site_runs.planning import ENDED, Item
from services.deployer.site_runs.store import Held
from shared.core.transaction import Transaction
from shared.messages.automatic import RunItem
from shared.messages.base import Cause
from shared.messages.deployer import SiteRunChanged

LONGEST = 1_000
"""Characters of a cause; with 200 apps it all fits one message."""


def report(tx: Transaction, held: Held) -> Held:
    """Say how a run stands; returns it with its next number."""
    held = replace(held, nth=held.nth + 1)
    origin = held.origin
    tx.emit(event_of(held, tx.now), sequence=held.nth, correlation_id=origin.correlation_id, actor=origin.actor)
    return held


def event_of(held: Held, now: datetime) -> SiteRunChanged:
    """What is told of a run."""
    run = held.run
    return SiteRunChanged(
        run_id=run.id,
        site=run.site,
        kind=run.kind,
        state=run.state,
        items=tuple(map(_told, run.items)),
        cause=_cut(run.cause),
        requested_by=held.origin.actor,
        started_at=held.started_at,
        finished_at=now if run.state in ENDED else None,
        nth=held.nth,
    )


def _told(item: Item) -> RunItem:
    return RunItem(
        app=item.app,
        kind=item.kind,
        from_version=item.from_version,
        to_version=item.to_version,
        state=item.state,
        operation_id=item.operation_id,
        cause=_cut(item.cause),
    )


def _cut(cause: Cause | None) -> Cause | None:
    if cause is None or len(cause.message) <= LONGEST:
        return cause
    return Cause(code=cause.code, message=cause.message[: LONGEST - 1] + "…")
