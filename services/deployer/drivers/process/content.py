"""Content of a site before it is needed: wheels and files of bundles, each under its digest.

hosts/<host>/content/<site>/<sha256>
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from services.deployer.drivers import Done, Item, Order
from services.deployer.drivers.content import WHOLE, FolderSink, Laid, Source, failed, send
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.process.order_file import OrderFile
from services.deployer.drivers.process.place import Place
from shared.components.process import ProcessSpec

T = TypeVar("T")

BESIDE = ("fetch", "discard")
"""Actions that leave the component as it runs."""

LOOK_SECONDS = 0.2
"""Between two looks whether a fetch is to stop: a chunk may wait long for a slow site."""


def sink_of(place: Place) -> FolderSink:
    """The content of a site, which all its components share."""
    return FolderSink(place.host / "content" / quote(place.site))


@dataclass(frozen=True, slots=True)
class Content:
    """An order that brings content or takes it away. `give_way` raises Failed when it is to stop."""

    order: Order
    place: Place
    file: OrderFile
    source: Source | None
    give_way: Callable[[], None]

    async def fetch(self) -> Done:
        """Bring what is missing. Raises Failed, and OSError."""
        self.file.step("fetch")
        if self.source is None:
            raise Failed("bad_order", "this driver was given no store to fetch content from")
        pace = self.source.pace.at(self.place.site)
        sending = send(self.order.items, sink_of(self.place), self.source.blobs, pace, self.file.note_fetched)
        try:
            sent = await unless_stopped(sending, self.give_way)
        except Exception as error:
            raise failed(error) or error from error
        return Done("", f"{len(self.order.items)} lie there, {sent} bytes were sent" if sent else "nothing was missing")

    async def discard(self) -> Done:
        """Take content away. What is installed has its own copy, so nothing that runs needs it."""
        self.file.step("discard")
        count = await sink_of(self.place).discard(self.order.items)
        return Done("", f"{count} of {len(self.order.items)} lay there")


async def unless_stopped(work: Coroutine[Any, Any, T], give_way: Callable[[], None]) -> T:
    """What comes of the work; it is given up when `give_way` raises Failed."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            give_way()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
    return task.result()


async def prepared_bundle(place: Place, spec: ProcessSpec, items: Sequence[Item]) -> Laid | None:
    """What lies on the site of a component, if all that it needs does."""
    named = {item.name for item in items}
    needed = {spec.requirements, *spec.seed.values(), *(word for word in spec.command[:1] if "/" in word)}
    if not items or not needed <= named:
        return None
    sink = sink_of(place)
    if any(offset != WHOLE for offset in await sink.offsets(items)):
        return None
    return Laid({item.name: sink.path(item.sha256) for item in items})
