"""Sites, who holds them, and their alarms: all in one order."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.alarms.projection import KINDS as ALARMS
from services.gateway.resources.alarms.projection import learn_alarms
from services.gateway.resources.gone import Gone, newest
from services.gateway.resources.prestaged import store as prestaged
from services.gateway.resources.sites import store
from services.gateway.resources.sites.store import SiteRow
from shared.messages import strategy
from shared.messages.strategy import Site
from shared.secret_references import names_in
from shared.wire.codec import Envelope


async def learn_sites(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Sites that changed or were removed, taken or let go, and what is wrong with them."""
    rows = list(_rows(events))
    if gone := newest(rows, Gone):  # before one of the same name is put, which may be another
        await prestaged.forget_prestaged(tx.conn, [(row.name, row.seq) for row in gone])
    if there := newest(rows, SiteRow):
        await store.put_sites(tx.conn, there)
    if gone:
        await store.remove_sites(tx.conn, gone)
    for event in events:
        if isinstance(h := event.data, strategy.SitesHeld):
            await store.hold_sites(tx.conn, list(dict.fromkeys(h.names)), h.strategy_id, h.strategy, event.sequence)
    if released := list(_released(events).items()):
        await store.release_sites(tx.conn, released)
    await learn_alarms(tx.conn, events)


def _rows(events: Sequence[Envelope[Any]]) -> Iterable[SiteRow | Gone]:
    for event in events:
        if isinstance(event.data, strategy.SitesChanged):
            yield from (_row(site, event) for site in event.data.sites)
        elif isinstance(event.data, strategy.SitesRemoved):
            yield from (Gone(name, event.sequence, event.time) for name in event.data.names)


def _row(site: Site, event: Envelope[Any]) -> SiteRow:
    secrets = " ".join(sorted(names_in(site.connections)))
    standing = (site.managed, site.maintenance, site.simplex)
    return SiteRow(
        site.name, site.group, site.labels, site.connections, *standing, site.facts, secrets, event.sequence, event.time
    )


def _released(events: Sequence[Envelope[Any]]) -> dict[str, int]:
    """The last sequence at which each strategy let go."""
    released: dict[str, int] = {}
    for event in events:
        if isinstance(r := event.data, strategy.SitesReleased):
            released[r.strategy_id] = max(event.sequence, released.get(r.strategy_id, 0))
    return released


KINDS = (strategy.SitesChanged, strategy.SitesRemoved, strategy.SitesHeld, strategy.SitesReleased, *ALARMS)
