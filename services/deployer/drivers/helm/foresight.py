"""What an order would change of its release: rendered, compared with what is there, and not sent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from services.deployer.drivers import Order
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls, causes, differences, history
from services.deployer.drivers.helm.binary import Helm, Ran
from services.deployer.drivers.helm.charts import Chart, Charts
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.connection import Access
from services.deployer.drivers.helm.manifest import objects
from services.deployer.drivers.helm.place import Place
from services.deployer.drivers.helm.releases import Releases
from services.deployer.drivers.helm.rendering import OwnKinds
from services.deployer.drivers.helm.running import Arguer, run_helm
from shared.components.helm import HelmSpec

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Foresight:
    """An order, and what it would meet."""

    order: Order
    access: Access
    place: Place
    cluster: Cluster
    helm: Helm
    charts: Charts

    @property
    def spec(self) -> HelmSpec:
        """What the component is."""
        spec: HelmSpec = self.order.component.spec
        return spec

    async def lines(self) -> list[str]:
        """A line for each thing that would differ. Raises Failed."""
        current = await self._current()
        verbs = {"apply": self._of_apply, "rollback": self._of_rollback, "remove": self._of_remove}
        look = verbs.get(self.order.action)
        return await look(current) if look else []

    async def _current(self) -> dict[str, Any]:
        """Helm's record of what runs; empty where nothing does."""
        releases = Releases(self.cluster, self.place)
        deployed = history.deployed(await releases.all())
        return await releases.record(deployed) if deployed else {}

    async def _of_apply(self, current: dict[str, Any]) -> list[str]:
        chart = await self.charts.of(self.order, self.access.connection.registry)
        upgrade = calls.upgrade(
            self.place,
            self.spec,
            str(chart.path),
            [str(file) for file in chart.values_files],
            self.order.key,
            "foreseen",
        )
        release = await self._rendered(upgrade)
        verb = "upgrade" if current else "install"
        return [*await self._definitions(chart), *self._compared(current, release, verb)]

    async def _rendered(self, upgrade: calls.Upgrade) -> dict[str, Any]:
        ran = await self._run(upgrade.rendered)
        if ran.well:
            found: dict[str, Any] = json.loads(ran.stdout)
            return found
        kinds = OwnKinds(self.cluster, Releases(self.cluster, self.place), self._run)
        return await kinds.rendered(upgrade, ran) or _refuse(ran)

    async def _of_rollback(self, current: dict[str, Any]) -> list[str]:
        releases = Releases(self.cluster, self.place)
        for revision in await releases.all():
            if str(revision.number) == self.order.revision:
                return self._compared(current, await releases.record(revision), "rollback")
        return [f"revision {self.order.revision} is gone"]

    async def _of_remove(self, current: dict[str, Any]) -> list[str]:
        return self._compared(current, {"hooks": current.get("hooks")}, "delete")

    def _compared(self, current: dict[str, Any], release: dict[str, Any], verb: str) -> list[str]:
        lines = differences.of_manifests(str(current.get("manifest") or ""), str(release.get("manifest") or ""))
        hooks = (release.get("hooks") or ()) if self.spec.hooks else ()
        return [*lines, *differences.of_hooks(hooks, (f"pre-{verb}", f"post-{verb}"))]

    async def _definitions(self, chart: Chart) -> list[str]:
        if not self.spec.crds:
            return []
        shown = await self._helm(lambda _: calls.definitions(str(chart.path)))
        names = [str((each.get("metadata") or {}).get("name")) for each in objects(shown.stdout.decode())]
        there = await asyncio.gather(*(self._has_definition(name) for name in names))
        return differences.of_definitions(dict(zip(names, there, strict=True)))

    async def _has_definition(self, name: str) -> bool:
        try:
            return await self.cluster.get(f"{DEFINITIONS}/{name}") is not None
        except Failed:
            return False  # who may not look at them cannot make them either, and hears of that then

    async def _helm(self, arguments: Arguer) -> Ran:
        ran = await self._run(arguments)
        return ran if ran.well else _refuse(ran)

    async def _run(self, arguments: Arguer) -> Ran:
        return await run_helm(self.helm, self.access, self.spec, arguments, asyncio.Event().wait)


def _refuse(ran: Ran) -> NoReturn:
    raise Failed(causes.code_of(ran.words), causes.cause_in(ran.words), ran.last_lines)
