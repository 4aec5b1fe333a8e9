"""What the deployer does by itself, folded to one row an app, a release, or an app on a site."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.automatic import store
from services.gateway.resources.automatic.store import BehaviourRow, CauseRow, DriftRow, FailedRow
from shared.messages import deployer
from shared.wire.codec import Envelope


async def learn_facts(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """How apps behave and which releases failed: what was said last counts."""
    said = [e.data for e in events if isinstance(e.data, deployer.BehaviourChanged)]
    failed = [e.data for e in events if isinstance(e.data, deployer.FailedReleaseChanged)]
    if said:
        last = {b.app: b for b in sorted(said, key=lambda b: b.nth)}
        await store.put_behaviours(tx.conn, [_behaviour(b) for b in last.values()])
    if failed:
        newest = {(f.app, f.version): f for f in sorted(failed, key=lambda f: f.nth)}
        await store.put_failed(tx.conn, [_failed(f) for f in newest.values()])


def _behaviour(said: deployer.BehaviourChanged) -> BehaviourRow:
    switches = said.switches.model_dump(mode="json", exclude_none=True)
    return BehaviourRow(said.app, switches, said.reason, said.at, said.by, said.nth)


def _failed(event: deployer.FailedReleaseChanged) -> FailedRow:
    sites = text([each.model_dump(mode="json") for each in event.sites])
    return FailedRow(
        event.app, event.version, event.failures, event.barred, sites, event.cleared_by, event.at, event.nth
    )


async def learn_drift(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What is not as it was left, what is so again, and what was begun because of it."""
    rows: dict[tuple[str, str], DriftRow] = {}
    for row in _drift(events):
        if (seen := rows.get((row.site, row.app))) is None or row.is_newer(seen):
            rows[row.site, row.app] = row
    if rows:
        await store.put_drift(tx.conn, list(rows.values()))
    begun = {e.data.operation_id: _cause(e.data) for e in events if isinstance(e.data, deployer.AutomaticRequested)}
    if begun:
        await store.note_causes(tx.conn, list(begun.values()))


def _drift(events: Sequence[Envelope[Any]]) -> Iterable[DriftRow]:
    for event in (each.data for each in events):
        if isinstance(event, deployer.DriftFound):
            for one in event.sites:
                components = text([each.model_dump(mode="json") for each in one.components])
                what = (one.site, event.app, one.version, components, one.then)
                yield DriftRow(*what, over=False, at=event.at, nth=one.nth)
        elif isinstance(event, deployer.DriftEnded):
            yield from (DriftRow(site, event.app, None, "[]", "", True, event.at, event.nth) for site in event.sites)


def _cause(begun: deployer.AutomaticRequested) -> CauseRow:
    what = (begun.operation_id, begun.site, begun.app, begun.kind, begun.version)
    return CauseRow(*what, begun.cause.model_dump(mode="json"), begun.at)


FACTS = (deployer.BehaviourChanged, deployer.FailedReleaseChanged)
FOUND = (deployer.DriftFound, deployer.DriftEnded, deployer.AutomaticRequested)
