"""The hands of the helm driver: orders carried out, looked after, asked about, on clusters by their connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from services.deployer.drivers import OBLIGATORY, Broken, Done, Order, Reachable, Reached, Verb
from services.deployer.drivers.bundles import Unpack
from services.deployer.drivers.content import Source
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.tool import Tool
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import history
from services.deployer.drivers.helm.attempt import Outages
from services.deployer.drivers.helm.binary import Helm
from services.deployer.drivers.helm.charts import Charts
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.comparing import Comparison, Known
from services.deployer.drivers.helm.connection import Registry, access_of
from services.deployer.drivers.helm.fetching import Fetching, brings_images, brought
from services.deployer.drivers.helm.foresight import Foresight
from services.deployer.drivers.helm.objects import compared
from services.deployer.drivers.helm.place import place_of
from services.deployer.drivers.helm.procedure import Checked
from services.deployer.drivers.helm.pulling import Pulls
from services.deployer.drivers.helm.reaching import reached
from services.deployer.drivers.helm.releases import Releases
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.helm.watch import Watch
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.components.helm import HelmSpec

LOOK_PATIENCE = 3.0
"""Seconds that a cluster is waited for when it is only asked how things stand."""

ASKED_AT_ONCE = 50

SWEEP_SECONDS = 600.0


class HelmTool(Tool):
    """Releases of Helm."""

    name: ClassVar[str] = "helm"
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY | {"fetch"}
    brings: ClassVar[bool] = True

    def __init__(
        self, settings: HelmSettings, folder: Path, unpack: Unpack, shared: SharedPulls, source: Source | None = None
    ) -> None:
        """`folder`: for charts and what Helm itself keeps; `source`: where prepared content comes from."""
        self.at_once = self.beside_at_once = settings.at_once
        self._settings = settings
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._helm = Helm(settings.binary, folder / "tool", settings.processes)
        pulling = Helm(settings.binary, folder / "tool", settings.processes)  # a registry that hangs holds no other up
        self._charts = Charts(folder / "charts", unpack, pulling, settings.charts, source)
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)
        self._known: Known = {}
        self._pulls, self._checked = Pulls(shared), Checked()

    def beside(self, order: Order) -> bool:
        """Nodes that pull, and sites that wait for those of another, take an hour: no way back waits behind them."""
        return order.action == "fetch"

    async def carry_out(self, runs: Sequence[Run]) -> None:
        """Bring an order to its end."""
        for run in runs:
            await run.end(await self._result(run))

    async def tend(self) -> None:
        """Until cancelled, clear away charts that nobody has used for long."""
        while True:
            await asyncio.to_thread(self._charts.prune, time.time())
            await asyncio.sleep(SWEEP_SECONDS)

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Whether what was deployed still runs, and as it was left; None also where a cluster does not say."""
        return await asyncio.gather(*(self._fallen(order) for order in orders))

    async def audit(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """The same, and whether each of its objects is as it was left."""
        return await asyncio.gather(*(self._fallen(order, with_objects=True) for order in orders))

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether Helm still has the revisions, as ones that were deployed; None where a cluster does not say."""
        return await asyncio.gather(*(self._has(order) for order in orders))

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """Whether the API servers answer."""
        return await asyncio.gather(*map(reached, sites))

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        """What would change of each release; why that cannot be said, where it cannot."""
        return await asyncio.gather(*(self._foreseen(order) for order in orders))

    async def _result(self, run: Run) -> Done | Broken:
        try:
            return await self._reach(run)
        except Failed as failed:
            return failed.broken

    async def _reach(self, run: Run) -> Done:
        order = run.order
        access = access_of(order.connection)
        if order.action == "fetch" and not brings_images(order, access.connection):
            return await self._fetch(run, access.connection.registry)
        place = place_of(order, access.connection)
        patience = self._settings.unreachable_seconds
        async with Cluster.at(access, patience, run.report) as cluster:
            outages = Outages(patience)
            procedure = Fetching(
                run, access, place, cluster, self._helm, self._settings, outages, self._charts, self._checked,
                self._pulls,
            )  # fmt: skip
            verbs = {
                "apply": procedure.apply,
                "rollback": procedure.rollback,
                "remove": procedure.remove,
                "fetch": procedure.fetch,
            }
            return await verbs[order.action]()

    async def _fetch(self, run: Run, registry: Registry) -> Done:
        if run.order.revision:
            return Done("", f"its cluster has revision {run.order.revision}")
        chart, sent = await brought(run, self._charts, registry)
        return Done("", f"the chart is here: {chart.path.name}", sent)

    async def _fallen(self, order: Order, *, with_objects: bool = False) -> Broken | None:
        try:
            async with self._asked(order) as (cluster, releases):
                runs = history.deployed(await releases.all())
                if runs is None:
                    return Broken("fallen", "its release is gone, or failed since")
                if order.revision and str(runs.number) != order.revision:
                    return Broken("fallen", f"revision {runs.number} runs there, and not {order.revision}")
                record = await releases.record(runs)
                spec: HelmSpec = order.component.spec
                workloads, asked = releases.asked_by(record)
                fallen = await Watch(cluster, workloads).fallen(asked, spec.rollout.seconds)
                return fallen or (await self._changed(order, cluster, record) if with_objects else None)
        except Failed:  # whoever is refused, or does not get there, has seen nothing that has fallen
            return None

    async def _changed(self, order: Order, cluster: Cluster, record: Mapping[str, Any]) -> Broken | None:
        place, spec = place_of(order, access_of(order.connection).connection), order.component.spec
        of_release = compared(str(record.get("manifest") or ""), by_server=history.by_server(record))
        comparison = Comparison(cluster, place.namespace, str(record.get("version")), self._known, spec.left_alone)
        lines = await comparison.changes(of_release)
        return Broken("differs", "; ".join(lines)) if lines else None

    async def _foreseen(self, order: Order) -> Sequence[str]:
        try:
            async with self._asked(order) as (cluster, _):
                access = access_of(order.connection)
                place = place_of(order, access.connection)
                return await Foresight(order, access, place, cluster, self._helm, self._charts).lines()
        except Failed as failed:
            return [f"it cannot be said what would change: {failed.broken.message}"]

    async def _has(self, order: Order) -> bool | None:
        try:
            async with self._asked(order) as (_, releases):
                return any(each.sound and str(each.number) == order.revision for each in await releases.all())
        except Failed:
            return None

    @asynccontextmanager
    async def _asked(self, order: Order) -> AsyncIterator[tuple[Cluster, Releases]]:
        tell: Callable[[str], None] = lambda _: None  # noqa: E731
        access = access_of(order.connection)
        async with self._asking, Cluster.at(access, LOOK_PATIENCE, tell) as cluster:
            yield cluster, Releases(cluster, place_of(order, access.connection))
