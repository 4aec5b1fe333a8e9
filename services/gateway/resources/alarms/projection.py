"""Alarms, as they are raised and cleared; their events are those of the fleet, in one order with those of its sites."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.resources.alarms import store
from services.gateway.resources.alarms.store import AlarmRow, ClearedRow
from services.gateway.resources.gone import Gone, newest
from shared.messages import strategy
from shared.process.db import Connection
from shared.wire.codec import Envelope


async def learn_alarms(conn: Connection, events: Sequence[Envelope[Any]]) -> None:
    """Alarms that were raised or cleared; those of sites that were removed are over."""
    last: dict[tuple[str, str], AlarmRow | ClearedRow] = {}
    for row in _rows(events):
        if (seen := last.get((row.site, row.alarm))) is None or seen.seq <= row.seq:
            last[row.site, row.alarm] = row
    if raised := [row for row in last.values() if isinstance(row, AlarmRow)]:
        await store.put_alarms(conn, raised)
    if cleared := [row for row in last.values() if isinstance(row, ClearedRow)]:
        await store.clear_alarms(conn, cleared)
    removals = [e for e in events if isinstance(e.data, strategy.SitesRemoved)]
    if gone := newest(Gone(name, event.sequence, event.time) for event in removals for name in event.data.names):
        await store.clear_all_alarms(conn, gone)


def _rows(events: Sequence[Envelope[Any]]) -> Iterable[AlarmRow | ClearedRow]:
    for event in events:
        if isinstance(a := event.data, strategy.AlarmRaised):
            about = (a.site, a.alarm, a.severity, a.management_affecting, a.text)
            yield AlarmRow(*about, a.raised_at, a.by, event.sequence)
        elif isinstance(a, strategy.AlarmCleared):
            yield ClearedRow(a.site, a.alarm, event.sequence)


KINDS = (strategy.AlarmRaised, strategy.AlarmCleared)
