"""What an order brings before anything is touched: its chart to this host, its images to the nodes of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.deployer.drivers import Done, Order
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import images
from services.deployer.drivers.helm.ahead import Ahead
from services.deployer.drivers.helm.attempt import until_or
from services.deployer.drivers.helm.charts import Chart, Charts
from services.deployer.drivers.helm.connection import Connection, Registry
from services.deployer.drivers.helm.images import Wanted
from services.deployer.drivers.helm.procedure import Procedure
from services.deployer.drivers.helm.pulling import Pulls
from services.deployer.drivers.helm.pulls import NO_NAMESPACE, LeftOut


def brings_images(order: Order, connection: Connection) -> bool:
    """Whether nodes pull what an order will deploy. A way back asks nothing of registries: it must not hang on them."""
    return order.deploys and not order.revision and _asked(order, connection) != "never"


def _asked(order: Order, connection: Connection) -> str:
    return str(connection.images or order.component.spec.images)


async def brought(run: Run, charts: Charts, registry: Registry) -> tuple[Chart, int]:
    """The chart of an order, and how many bytes were sent for it. Raises Failed."""
    sent: list[int] = []
    return await until_or(charts.bring(run.order, registry, sent.append), run.until_cancelled), sum(sent)


def refuse_lacking(why: Sequence[LeftOut]) -> None:
    """`images: require`: raises Failed where something runs that a failed pull could hurt."""
    if lacking := [each.words for each in why if not each.nothing_runs]:
        words = f"`images: require`, and not all nodes could pull them: {'; '.join(lacking)}"
        raise Failed("images_not_ahead", words)


@dataclass(frozen=True, slots=True)
class Fetching(Procedure):
    """A procedure that may have nodes pull images."""

    pulls: Pulls

    async def fetch(self) -> Done:
        """Bring the chart and the images. Raises Failed, and has then touched nothing of what runs."""
        ahead = Ahead(self.run, self.cluster, self.access.identity, self.settings, self.pulls)
        if self.run.cancelled:
            await ahead.clear_own(self.place.namespace)
        self._give_way()
        chart, sent = await brought(self.run, self.charts, self.access.connection.registry)
        why = await self._images(chart, ahead)
        if _asked(self.run.order, self.access.connection) == "require":
            refuse_lacking(why)
        words = "; ".join(each.words for each in why)
        notice = f"; nodes pull images with the update where they lack them: {words}" if why else ""
        return Done("", f"the chart is here: {chart.path.name}{notice}", sent)

    @property
    def _passing(self) -> frozenset[str]:
        """Why a chart may not be rendered yet, and will be when its turn comes: a revision is pending, which the update
        puts right; what it comes behind brings the kinds or the objects that it asks for."""
        behind = {"bad_manifest", "bad_template"} if self.run.order.component.after else set()
        return frozenset({"helm_failed", *behind})

    async def _images(self, chart: Chart, ahead: Ahead) -> list[LeftOut]:
        """Why some nodes do not have all of them now."""
        try:
            lacking = await self._lacking(chart, ahead)
        except Failed as failed:
            if failed.broken.code not in self._passing:
                raise
            runs = bool(await self._safely(self.releases.running()))
            return [LeftOut(f"the chart cannot be rendered yet: {failed.broken.message}", nothing_runs=not runs)]
        if lacking is None:
            return [NO_NAMESPACE]
        return await self._safely(ahead.bring(lacking))

    async def _lacking(self, chart: Chart, ahead: Ahead) -> Sequence[Wanted] | None:
        """What the release that runs does not have; None = there is no place yet for pods that pull it."""
        upgrade = self._upgrade(chart)
        release = await self._rendered(upgrade)
        self.checked.keep(self._identity(upgrade), wait=self._fit(release))
        running = await self._safely(self.releases.running())
        hooks = (release.get("hooks") or ()) if self.spec.hooks else ()
        there = images.named(str(running.get("manifest") or ""), running.get("hooks") or ())
        lacking = images.wanted(str(release.get("manifest") or ""), hooks, self.place.namespace, there)
        if running or not lacking or await self._safely(ahead.has_namespace(self.place.namespace)):
            return lacking
        return None
