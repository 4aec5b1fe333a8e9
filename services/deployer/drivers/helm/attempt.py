"""What an order finds of its own in the records of Helm, and how it has Helm change something, once in all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls, causes, history, manifest
from services.deployer.drivers.helm.binary import Helm, Ran
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.connection import Access
from services.deployer.drivers.helm.history import Abandoned, Ended, Halfway, Occupied, Reached, Revision, Uninstalling
from services.deployer.drivers.helm.place import Place, mark_of
from services.deployer.drivers.helm.releases import Releases
from services.deployer.drivers.helm.running import Arguer, run_helm
from services.deployer.drivers.helm.settings import HelmSettings
from shared.components.helm import HelmSpec

T = TypeVar("T")

OUTAGE_SECONDS = 0.5
"""Before a helm that found no API server is run again."""

OCCUPIED_SECONDS = 2.0
"""Between two looks at a revision that somebody else's helm may be at work on."""


class Outages:
    """How long helm has been finding no API server: it may fail to where we do not."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._first: float | None = None

    def over(self) -> None:
        """It found one: the next outage is another, however soon it begins."""
        self._first = None

    def too_long(self, now: float) -> bool:
        """Note one more; whether that is enough."""
        self._first = now if self._first is None else self._first
        return now - self._first > self._patience


@dataclass(frozen=True, slots=True)
class Attempt:
    """An order at its place. Whoever makes it holds the place's lock: no other order of Belay is under way there."""

    run: Run
    access: Access
    place: Place
    cluster: Cluster
    helm: Helm
    settings: HelmSettings
    outages: Outages

    @property
    def spec(self) -> HelmSpec:
        """What the component is."""
        spec: HelmSpec = self.run.order.component.spec
        return spec

    @property
    def releases(self) -> Releases:
        """What Helm knows of the release."""
        return Releases(self.cluster, self.place)

    # -- what lies there ------------------------------------------------------------------------------------------

    async def _found(self) -> Revision | None:
        """What this order has made before; None = nothing, and the way is free for it. Raises Failed."""
        while True:
            self._give_way()
            match await self._safely(self._look()):
                case Reached(revision):
                    return revision
                case Ended(revision):
                    await self._refuse_real_failure(revision)
                    await self._forget(revision)
                case Halfway(revision) | Abandoned(revision):
                    await self._put_right(revision)
                case Occupied(revision):
                    self.run.report(f"waits for another helm, at revision {revision.number}", 5)
                    await self._safely(asyncio.sleep(OCCUPIED_SECONDS))
                case Uninstalling():
                    ran = await self._helm(lambda paths: calls.uninstall(self.place, self.spec, paths))
                    if not ran.well:
                        await self._outage_or_failure(ran)
                case _:
                    return None

    async def _look(self) -> history.Finding:
        order, base = self.run.order, self.run.note.get("base")
        mark = mark_of(order.key)
        target = order.revision if order.action == "rollback" else None
        revisions = await self.releases.marked(base, target, mark)
        return history.find(revisions, mark, base, self.settings.pending_seconds)

    async def _put_right(self, revision: Revision) -> None:
        """A pending revision whose helm is dead: ours is made again, under its number; another's is called failed."""
        if revision.mark == mark_of(self.run.order.key) and not self.run.cancelled:
            await self._forget(revision)
        else:
            await self.releases.give_up(revision, "Belay: the helm that made this revision was ended")

    async def _forget(self, revision: Revision) -> None:
        """Its hooks may have run, which Helm writes down nowhere: that they run once more is told with the result."""
        record = await self.releases.record(revision)
        if self.spec.hooks and manifest.changing_hooks(record.get("hooks") or ()):
            await self.run.write_down(hooks_again=True)
        await self.releases.discard(revision)

    async def _refuse_real_failure(self, revision: Revision) -> None:
        """Helm gave up while nobody was there to hear why. What failed for want of the API server is tried again."""
        record = await self.releases.record(revision)
        words = str((record.get("info") or {}).get("description") or "")
        if not causes.is_outage(words):
            raise Failed(causes.code_of(words), causes.cause_in(words), (words,))

    # -- changing it ----------------------------------------------------------------------------------------------

    async def _change(self, arguments: Arguer) -> Revision:
        """Have helm do it, again while the API server is away; returns the revision it made. Raises Failed."""
        while True:
            self._give_way()
            revisions = await self.releases.all()
            await self.run.write_down(base=revisions[-1].number if revisions else 0)
            self.run.report("helm sends it", 20)
            ran = await self._helm(arguments)
            if ran.well and isinstance(found := await self._look(), Reached):
                await self.run.write_down(sent_at=time.time())
                return found.revision
            await self._clear_up(ran)

    async def _clear_up(self, ran: Ran) -> None:
        """After a helm that failed nothing is left pending, and what can be tried again can be tried. Raises Failed."""
        outage = causes.is_outage(ran.words)
        found = await self._look()  # waits until the API server is back
        if isinstance(found, Halfway | Ended) and outage and not self.run.cancelled:
            await self._forget(found.revision)
        elif isinstance(found, Halfway):
            await self.releases.give_up(found.revision, f"Belay: {causes.cause_in(ran.words)}"[:1000])
        await self._outage_or_failure(ran)

    async def _outage_or_failure(self, ran: Ran) -> None:
        """Return when the API server is there again, where its being away was all; otherwise raise Failed."""
        self._give_way()
        words = causes.cause_in(ran.words)
        if not causes.is_outage(ran.words):
            raise Failed(causes.code_of(ran.words), words, ran.last_lines)
        if self.outages.too_long(time.monotonic()):
            raise Failed("unreachable", f"helm does not reach the API server: {words}", ran.last_lines)
        await self._safely(self.cluster.get("/version"))
        await self._safely(asyncio.sleep(OUTAGE_SECONDS))

    async def _helm(self, arguments: Arguer) -> Ran:
        ran = await run_helm(self.helm, self.access, self.spec, arguments, self.run.until_cancelled)
        if ran.well or not causes.is_outage(ran.words):
            self.outages.over()
        return ran

    # -- giving way -----------------------------------------------------------------------------------------------

    async def _give_up_if_cancelled(self) -> None:
        """It was cancelled while nobody carried it out, and may have left a revision pending."""
        if self.run.cancelled:
            if isinstance(found := await self._look(), Halfway):
                await self._put_right(found.revision)
            raise _cancelled()

    def _give_way(self) -> None:
        """A safe point: the release is as it was, or as Helm has made it."""
        if self.run.cancelled:
            raise _cancelled()

    async def _safely(self, work: Coroutine[Any, Any, T]) -> T:
        """Something that may be left at any moment, as only looking is; it is when the order is cancelled."""
        return await until_or(work, self.run.until_cancelled)


def _cancelled() -> Failed:
    return Failed("cancelled", "the order was cancelled")


async def until_or(work: Coroutine[Any, Any, T], stop: Callable[[], Awaitable[None]]) -> T:
    """The result of `work`. Raises Failed `cancelled` when `stop` returns before it."""
    working: asyncio.Future[T] = asyncio.ensure_future(work)
    stopping: asyncio.Future[None] = asyncio.ensure_future(stop())
    both: set[asyncio.Future[Any]] = {working, stopping}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _cancelled()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
