"""One order, step by step. Each step may be interrupted by death, and is then found out from Helm's own records."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from services.deployer.drivers import Done
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls, causes, history, manifest, version
from services.deployer.drivers.helm.binary import Helm, Ran
from services.deployer.drivers.helm.charts import Chart, Charts
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.connection import Access
from services.deployer.drivers.helm.history import Abandoned, Ended, Halfway, Occupied, Reached, Revision, Uninstalling
from services.deployer.drivers.helm.place import Place, mark_of
from services.deployer.drivers.helm.releases import Releases
from services.deployer.drivers.helm.running import Arguer, run_helm
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.helm.watch import Watch
from shared.components.helm import HelmSpec

T = TypeVar("T")

OUTAGE_SECONDS = 0.5
"""Before a helm that found no API server is run again."""

OCCUPIED_SECONDS = 2.0
"""Between two looks at a revision that somebody else's helm may be at work on."""

CANCELLED = Failed("cancelled", "the order was cancelled")


class Outages:
    """How long helm has been finding no API server: it may fail to where we do not."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._first: float | None = None

    def too_long(self, now: float) -> bool:
        """Note one more; whether that is enough."""
        self._first = self._first or now
        return now - self._first > self._patience


@dataclass(frozen=True, slots=True)
class Procedure:
    """An order at its place. Whoever runs it holds the place's lock: no other order of Belay is under way there."""

    run: Run
    access: Access
    place: Place
    cluster: Cluster
    helm: Helm
    charts: Charts
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

    # -- the verbs ------------------------------------------------------------------------------------------------

    async def apply(self) -> Done:
        """Deploy the chart. Raises Failed."""
        await self._give_up_if_cancelled()
        chart = await self._safely(self.charts.of(self.run.order, self.access.connection.registry))
        await self._refuse_unfit_namespace()
        own = await self._found()
        if own is None:
            upgrade = self._upgrade(chart)
            wait = await self._refuse_unfit_chart(upgrade)
            own = await self._change(lambda paths: upgrade.sent(paths, wait=wait))
        return await self._proven(own)

    async def rollback(self) -> Done:
        """Return to a recorded revision, as a new one. Raises Failed."""
        await self._give_up_if_cancelled()
        await self._refuse_unfit_namespace()
        own = await self._found()
        if own is None:
            target = self.run.order.revision or ""
            wait = await self._has_late_hooks(target)
            own = await self._change(
                lambda paths: calls.rollback(self.place, self.spec, target, paths, wait=wait),
            )
        await self.releases.sign(own, mark_of(self.run.order.key))
        return await self._proven(own)

    async def remove(self) -> Done:
        """Uninstall the release, and wait until its workloads are gone. Raises Failed."""
        workloads = [manifest.Workload(*each) for each in self.run.note.get("workloads", ())]
        while revisions := await self.releases.all():
            if not workloads:
                workloads = list(await self.releases.workloads(revisions[-1]))
                await self.run.write_down(workloads=[[w.kind, w.namespace, w.name] for w in workloads])
            self._give_way()
            self.run.report("helm uninstalls it", 20)
            ran = await self._helm(lambda paths: calls.uninstall(self.place, self.spec, paths))
            if not ran.well:
                await self._outage_or_failure(ran)
        await self._safely(Watch(self.cluster, workloads).until_gone(self.run, self.spec.rollout.seconds))
        return Done("", f"release {self.place.release} is gone from namespace {self.place.namespace}")

    # -- what lies there ------------------------------------------------------------------------------------------

    async def _refuse_unfit_namespace(self) -> None:
        """Helm would fail half-way, with whatever it could still create."""
        try:
            namespace = await self._safely(self.cluster.get(f"/api/v1/namespaces/{self.place.namespace}"))
        except Failed as failed:
            if failed.broken.code == "forbidden":
                return  # who may work in one namespace need not be allowed to look at it
            raise
        if namespace is None and not (self.spec.create_namespace and self.run.order.action == "apply"):
            raise Failed("no_namespace", f"there is no namespace {self.place.namespace}, and none is to be made")
        if namespace and (namespace.get("status") or {}).get("phase") == "Terminating":
            raise Failed("namespace_terminating", f"the namespace {self.place.namespace} is being deleted")

    async def _found(self) -> Revision | None:
        """What this order has made before; None = nothing, and the way is free for it. Raises Failed."""
        while True:
            self._give_way()
            match await self._safely(self._look()):
                case Reached(revision):
                    return revision
                case Ended(revision):
                    await self._refuse_real_failure(revision)
                    await self.releases.discard(revision)
                case Halfway(revision) | Abandoned(revision):
                    await self._put_right(revision)
                case Occupied(revision):
                    self.run.report(f"waits for another helm, at revision {revision.number}", 5)
                    await self._safely(asyncio.sleep(OCCUPIED_SECONDS))
                case Uninstalling():
                    await self._helm(lambda paths: calls.uninstall(self.place, self.spec, paths))
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
            await self.releases.discard(revision)
        else:
            await self.releases.give_up(revision, "Belay: the helm that made this revision was ended")

    async def _refuse_real_failure(self, revision: Revision) -> None:
        """Helm gave up while nobody was there to hear why. What failed for want of the API server is tried again."""
        record = await self.releases.record(revision)
        words = str((record.get("info") or {}).get("description") or "")
        if not causes.is_outage(words):
            raise Failed(causes.code_of(words), causes.cause_in(words), (words,))

    # -- changing it ----------------------------------------------------------------------------------------------

    def _upgrade(self, chart: Chart) -> calls.Upgrade:
        order = self.run.order
        about = f"Belay: {order.app} {order.version} on site {order.site}"
        files = [str(file) for file in chart.values_files]
        return calls.upgrade(self.place, self.spec, str(chart.path), files, order.key, about)

    async def _refuse_unfit_chart(self, upgrade: calls.Upgrade) -> bool:
        """Render it first: a chart that is none, or renders nothing, leaves the release alone. Whether hooks wait."""
        self.run.report("renders the chart", 10)
        ran = await self._helm(upgrade.rendered)
        while not ran.well:
            await self._outage_or_failure(ran)
            ran = await self._helm(upgrade.rendered)
        release = json.loads(ran.stdout)
        text = str(release.get("manifest") or "")
        if not manifest.objects(text) and not release.get("hooks"):
            raise Failed("renders_nothing", "the chart renders no object with these values")
        if lost := manifest.missing(self.spec.rollout.workloads, manifest.workloads(text, self.place.namespace)):
            raise Failed("missing_workload", f"the chart renders no {', '.join(lost)}, which rollout.workloads names")
        return self.spec.hooks and manifest.late_hooks(release.get("hooks") or ())

    async def _has_late_hooks(self, target: str) -> bool:
        revisions = await self._safely(self.releases.all())
        wanted = next((each for each in revisions if str(each.number) == target and each.sound), None)
        if wanted is None:
            raise Failed("revision_missing", f"revision {target} of release {self.place.release} is gone")
        record = await self.releases.record(wanted)
        return self.spec.hooks and manifest.late_hooks(record.get("hooks") or ())

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
            await self.releases.discard(found.revision)
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
        return await run_helm(self.helm, self.access, self.spec, arguments, self.run.until_cancelled)

    # -- proving it -----------------------------------------------------------------------------------------------

    async def _proven(self, own: Revision) -> Done:
        workloads = await self.releases.workloads(own)
        watch, up = Watch(self.cluster, workloads), self.spec.rollout
        since = float(self.run.note.get("sent_at") or time.time())
        await self._safely(watch.until_up(self.run, up.seconds, up.stable_seconds, since))
        said = ""
        if self.spec.version:
            self.run.report("asks for its version", 97)
            released = self.run.order.version or ""
            check = version.check(self.cluster, self.place.namespace, self.spec.version, released)
            said = f", version {await self._safely(check)}"
        where = f"release {self.place.release} in namespace {self.place.namespace}"
        return Done(str(own.number), f"{where}: {len(workloads)} workloads are ready{said}")

    # -- giving way -----------------------------------------------------------------------------------------------

    async def _give_up_if_cancelled(self) -> None:
        """It was cancelled while nobody carried it out, and may have left a revision pending."""
        if self.run.cancelled:
            if isinstance(found := await self._look(), Halfway):
                await self._put_right(found.revision)
            raise CANCELLED

    def _give_way(self) -> None:
        """A safe point: the release is as it was, or as Helm has made it."""
        if self.run.cancelled:
            raise CANCELLED

    async def _safely(self, work: Coroutine[Any, Any, T]) -> T:
        """Something that may be left at any moment, as only looking is; it is when the order is cancelled."""
        return await until_or(work, self.run.until_cancelled)


async def until_or(work: Coroutine[Any, Any, T], stop: Callable[[], Awaitable[None]]) -> T:
    """The result of `work`. Raises Failed `cancelled` when `stop` returns before it."""
    working: asyncio.Future[T] = asyncio.ensure_future(work)
    stopping: asyncio.Future[None] = asyncio.ensure_future(stop())
    both: set[asyncio.Future[Any]] = {working, stopping}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Failed("cancelled", "the order was cancelled")
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
