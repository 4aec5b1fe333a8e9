"""Alarms, as they are raised and cleared; their events are those of the fleet, in one order with those of its sites."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from services.gateway.resources.alarms import store
from services.gateway.resources.alarms.store import AlarmRow, ClearedRow
from services.gateway.resources.gone import Gone, newest
from shared.messages import strategy
from shared.process.db import Connection
from shared.wire.codec import Envelope


async def learn_alarms(conn: Connection, events: Sequence[Envelope[Any]]) -> None:
    """Alarms that were raised or cleared; those of sites that were removed are over."""
    rows = list(_rows(events))
    if raised := newest(rows, AlarmRow, SITE_AND_ALARM):
        await store.put_alarms(conn, raised)
    if cleared := newest(rows, ClearedRow, SITE_AND_ALARM):
        await store.clear_alarms(conn, cleared)
    if gone := newest(rows, Gone):
        await store.clear_all_alarms(conn, gone)


def _rows(events: Sequence[Envelope[Any]]) -> Iterable[AlarmRow | ClearedRow | Gone]:
    for event in events:
        if isinstance(a := event.data, strategy.AlarmRaised):
            about = (a.site, a.alarm, a.severity, a.management_affecting, a.text)
            yield AlarmRow(*about, a.raised_at, a.by, event.sequence)
        elif isinstance(a, strategy.AlarmCleared):
            yield ClearedRow(a.site, a.alarm, event.sequence)
        elif isinstance(a, strategy.SitesRemoved):
            yield from (Gone(name, event.sequence, event.time) for name in a.names)


SITE_AND_ALARM = attrgetter("site", "alarm")
KINDS = (strategy.AlarmRaised, strategy.AlarmCleared)
