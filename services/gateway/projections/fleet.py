"""Sites, groups, and who holds what."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from services.gateway.store import fleet
from services.gateway.store.fleet import Gone, GroupRow, SiteRow
from services.gateway.turns import LearningTransaction
from shared.messages import strategy
from shared.messages.strategy import Site
from shared.wire.codec import Envelope

Row = TypeVar("Row", SiteRow | Gone, GroupRow | Gone)


def newest(rows: Iterable[Row]) -> list[Row]:
    """One row a name: the last of those with the highest sequence."""
    best: dict[str, Row] = {}
    for row in rows:
        if (seen := best.get(row.name)) is None or seen.seq <= row.seq:
            best[row.name] = row
    return list(best.values())


async def learn_fleet(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Everything that travels under the key of the fleet."""
    await _sites(tx, newest(_site_rows(events)))
    await _groups(tx, newest(_group_rows(events)))
    for event in events:
        if isinstance(h := event.data, strategy.SitesHeld):
            await fleet.hold_sites(tx.conn, list(dict.fromkeys(h.names)), h.strategy_id, h.strategy, event.sequence)
    if released := list(_released(events).items()):
        await fleet.release_sites(tx.conn, released)


def _site_rows(events: Sequence[Envelope[Any]]) -> Iterable[SiteRow | Gone]:
    for event in events:
        if isinstance(event.data, strategy.SitesChanged):
            yield from (_site_row(site, event) for site in event.data.sites)
        elif isinstance(event.data, strategy.SitesRemoved):
            yield from (Gone(name, event.sequence, event.time) for name in event.data.names)


def _site_row(site: Site, event: Envelope[Any]) -> SiteRow:
    flags = (site.managed, site.simplex)
    return SiteRow(site.name, site.group, site.labels, site.driver, site.params, *flags, event.sequence, event.time)


def _group_rows(events: Sequence[Envelope[Any]]) -> Iterable[GroupRow | Gone]:
    for event in events:
        g = event.data
        if isinstance(g, strategy.GroupChanged):
            limit = str(g.max_parallel)
            yield GroupRow(g.name, g.description, g.apply_type, limit, event.sequence, event.time)
        elif isinstance(g, strategy.GroupDeleted):
            yield Gone(g.name, event.sequence, event.time)


def _released(events: Sequence[Envelope[Any]]) -> dict[str, int]:
    """The last sequence at which each strategy let go."""
    released: dict[str, int] = {}
    for event in events:
        if isinstance(r := event.data, strategy.SitesReleased):
            released[r.strategy_id] = max(event.sequence, released.get(r.strategy_id, 0))
    return released


async def _sites(tx: LearningTransaction, rows: Sequence[SiteRow | Gone]) -> None:
    if there := [row for row in rows if isinstance(row, SiteRow)]:
        await fleet.put_sites(tx.conn, there)
    if gone := [row for row in rows if isinstance(row, Gone)]:
        await fleet.remove_sites(tx.conn, gone)


async def _groups(tx: LearningTransaction, rows: Sequence[GroupRow | Gone]) -> None:
    if there := [row for row in rows if isinstance(row, GroupRow)]:
        await fleet.put_groups(tx.conn, there)
    if gone := [row for row in rows if isinstance(row, Gone)]:
        await fleet.remove_groups(tx.conn, gone)


KINDS = (
    strategy.SitesChanged,
    strategy.SitesRemoved,
    strategy.SitesHeld,
    strategy.SitesReleased,
    strategy.GroupChanged,
    strategy.GroupDeleted,
)
