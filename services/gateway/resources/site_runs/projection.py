"""Runs over the apps of a site: each event tells the whole of one."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.site_runs import store
from services.gateway.resources.site_runs.store import RunRow
from shared.messages.deployer import SiteRunChanged
from shared.wire.codec import Envelope


async def learn_runs(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What was told last of each counts."""
    last = {event.data.run_id: event.data for event in sorted(events, key=lambda event: event.data.nth)}
    await store.put_runs(tx.conn, [_row(run) for run in last.values()])


def _row(run: SiteRunChanged) -> RunRow:
    items = text([item.model_dump(mode="json") for item in run.items])
    cause = run.cause.model_dump(mode="json") if run.cause else None
    what = (run.run_id, run.site, run.kind, run.state, items, cause, run.requested_by)
    return RunRow(*what, run.started_at, run.finished_at, run.nth)


KINDS = (SiteRunChanged,)
