"""Faults of records: unreadable, hostile, old, doubled, late."""

import asyncio
from datetime import UTC, datetime

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from tests.faults import foreign as foreigners
from tests.faults.field import Field, Missed
from tests.faults.plan import Planned

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
REPLAYED = 200
"""The most records of one replay."""


async def foreign_record(field: Field, planned: Planned) -> None:
    at = datetime.now(UTC)
    made = foreigners.record(planned.kind, planned.target, planned.draw)
    await field.foreign.publish(planned.target, *made)
    field.note(planned.kind, planned.target, at)


async def odd_record(field: Field, planned: Planned) -> None:
    """A record of an unusual codec, size or form."""
    at, odd = datetime.now(UTC), foreigners.odd_record(planned.kind, planned.target, planned.draw)
    try:
        await field.foreign.publish(planned.target, odd.key, odd.headers, odd.body, odd.codec)
    except TOO_LARGE as error:
        raise Missed(f"Kafka itself refuses {len(odd.body or b'')} bytes on {planned.target}") from error
    field.note(planned.kind, planned.target, at, codec=odd.codec, bytes=len(odd.body or b""), expected=odd.expected)


async def replay_records(field: Field, planned: Planned) -> None:
    """Records from an old offset on come again, as they were."""
    past = list(field.watch.past[planned.target])
    if not past:
        raise Missed(f"nothing lies on {planned.target} yet")
    at, first = datetime.now(UTC), planned.draw % len(past)
    batch = past[first : first + 1 + planned.draw % REPLAYED]
    await field.foreign.again(planned.target, batch)
    field.note("replay_records", planned.target, at, ended=True, records=len(batch), offset=batch[0].offset)


async def window(field: Field, planned: Planned) -> None:
    """Something is wrong with all replicas of a service for a while."""
    at, struck = datetime.now(UTC), []
    what = "deaf_heartbeat" if planned.kind == "late_report" else planned.kind
    for replica in field.stage.of(planned.target):
        if replica.pid and not replica.frozen:
            await field.order(replica, do="window", what=what, seconds=planned.seconds)
            struck.append(replica.name)
    if not struck:
        raise Missed(f"no replica of {planned.target} runs just now")
    await asyncio.sleep(planned.seconds)
    for name in struck:
        field.note(planned.kind, name, at, ended=True, seconds=planned.seconds)
