"""The only place where the product is patched: its calls pass the points, and suffer what was ordered."""

import asyncio
import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import obstore
from obstore.exceptions import GenericError

from shared.core.outbox import Outgoing, ordered_by
from shared.process.db import Queries
from tests.faults.saboteur.points import HEARTBEAT, POINTS, POLL, SEND, found
from tests.faults.saboteur.sabotage import Sabotage

QUERY_METHODS = ("fetch", "row", "value", "run")
EMPTY: tuple[object, ...] = (None, [], {}, 0)
LATE_SECONDS = 0.3

Call = Callable[..., Any]


def install(sabotage: Sabotage) -> None:
    """Patch this process, before its service starts."""
    for name in QUERY_METHODS:
        setattr(Queries, name, _queried(getattr(Queries, name), sabotage))
    for call in {point.call for point in POINTS.values() if point.call}:
        owner, name = found(call)
        method = getattr(owner, name)
        setattr(owner, name, _called(_sent(method, sabotage) if call == SEND else method, call, sabotage))
    obstore.put_async = _stored(obstore.put_async, sabotage)


def _queried(method: Call, sabotage: Sabotage) -> Call:
    before, after = _points("before", "query"), _points("after", "query")

    @functools.wraps(method)
    async def queried(self: Queries, conn: Any, name: str, /, **arguments: Any) -> Any:
        if name == HEARTBEAT and sabotage.on("deaf_heartbeat"):
            raise ConnectionResetError("no heartbeat gets through")
        for point in before.get(name, ()):
            sabotage.passed(point)
        result = await method(self, conn, name, **arguments)
        if name in after and result not in EMPTY:
            for point in after[name]:
                sabotage.passed(point)
        return result

    return queried


def _called(method: Call, call: str, sabotage: Sabotage) -> Call:
    before, after = _points("before", "call").get(call, ()), _points("after", "call").get(call, ())

    @functools.wraps(method)
    async def called(*args: Any, **more: Any) -> Any:
        for point in before:
            sabotage.passed(point)
        result = await method(*args, **more)
        if result or call != POLL:
            for point in after:
                sabotage.passed(point)
        return result

    return called


def _points(when: str, what: str) -> dict[str, list[str]]:
    """The names of the points by query or by call."""
    named: dict[str, list[str]] = {}
    for name, point in POINTS.items():
        if point.when == when and (where := getattr(point, what)):
            named.setdefault(where, []).append(name)
    return named


def _sent(send: Call, sabotage: Sabotage) -> Call:
    """The relay stalls, sends everything twice, or lets half of the keys come late.

    A record never overtakes another of its key, or on a compacted topic of its aggregate: the relay owns its shards
    alone, and waits.
    """

    @functools.wraps(send)
    async def sent(self: Any, producer: Any, records: Sequence[Any]) -> None:
        await sabotage.while_on("stall_relay")
        if sabotage.on("reorder_records"):
            await send(self, producer, [record for record in records if not _late(record)])
            await asyncio.sleep(LATE_SECONDS)
            records = [record for record in records if _late(record)]
        await send(self, producer, records)
        if sabotage.on("duplicate_records"):
            await send(self, producer, records)

    return sent


def _late(record: Outgoing) -> int:
    return zlib.crc32(ordered_by(record) or b"") // 8 % 2  # the lowest bits are the relay's shards


def _stored(put: Call, sabotage: Sabotage) -> Call:
    @functools.wraps(put)
    async def stored(*args: Any, **more: Any) -> Any:
        if sabotage.on("full_disk"):
            raise GenericError("Generic LocalFileSystem error: No space left on device (os error 28)")
        return await put(*args, **more)

    return stored
