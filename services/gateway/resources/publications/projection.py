"""How far publications are, and what became of them."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import asyncpg

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.publications import store
from services.gateway.resources.publications.store import EndRow, ProgressRow
from shared.messages.catalog import BundleProgressed, PublicationSettled
from shared.wire.codec import Envelope


async def learn_publications(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """The last progress of each by its time, and its end."""
    progress = sorted((e.data for e in events if isinstance(e.data, BundleProgressed)), key=attrgetter("at"))
    under_way = {each.publication: _progress(each) for each in progress}
    ended = {e.data.publication: _end(e) for e in reversed(events) if isinstance(e.data, PublicationSettled)}
    await store.put_progress(tx.conn, list(under_way.values()))
    await store.put_ends(tx.conn, list(ended.values()))


async def learn_begun(tx: LearningTransaction, answered: Sequence[asyncpg.Record]) -> None:
    """Publications that the catalog has taken: they can be read before anything is said of them."""
    taken = [(r["command_id"], r["body"].get("bundle_sha256"), tx.now) for r in answered if r["state"] == "accepted"]
    if taken:
        await store.begin(tx.conn, taken)


def _progress(p: BundleProgressed) -> ProgressRow:
    waits = p.waits.model_dump_json() if p.waits else None
    steps = (p.step, p.step_done, p.step_total, waits)
    return ProgressRow(p.publication, p.phase, p.done_bytes, p.total_bytes, *steps, p.at)


def _end(event: Envelope[PublicationSettled]) -> EndRow:
    p = event.data
    faults = text([fault.model_dump(mode="json") for fault in p.faults])
    return EndRow(p.publication, p.state, p.bundle_sha256, p.app, p.version, faults, event.time)


KINDS = (BundleProgressed, PublicationSettled)
