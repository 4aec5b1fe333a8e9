"""The verbs of one order, step by step, over what attempt.py finds out and has done."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.deployer.drivers import Done
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls, history, manifest, version
from services.deployer.drivers.helm.attempt import Attempt
from services.deployer.drivers.helm.charts import Chart, Charts
from services.deployer.drivers.helm.clearing import clear
from services.deployer.drivers.helm.history import Revision
from services.deployer.drivers.helm.place import mark_of
from services.deployer.drivers.helm.rendering import OwnKinds
from services.deployer.drivers.helm.watch import Watch

HOOKS_AGAIN = "; its hooks may have run more than once, since helm was cut off in the middle"


CHECKED_SECONDS, MOST_CHECKED = 900.0, 10_000


@dataclass(frozen=True, slots=True)
class Checked:
    """Charts that were rendered and found fit a moment ago, as a fetch does it: the deployment behind it need not."""

    _found: dict[str, tuple[float, bool]] = field(default_factory=dict)

    def keep(self, upgrade: str, *, wait: bool) -> None:
        """`wait`: whether helm is to wait for the roll-out."""
        self._found[upgrade] = (time.monotonic(), wait)
        if len(self._found) > MOST_CHECKED:
            del self._found[next(iter(self._found))]

    def take(self, upgrade: str) -> bool | None:
        """The same, once; None = it was not rendered, or too long ago."""
        at, wait = self._found.pop(upgrade, (-CHECKED_SECONDS, False))
        return wait if time.monotonic() - at < CHECKED_SECONDS else None


@dataclass(frozen=True, slots=True)
class Procedure(Attempt):
    """An attempt that may have charts."""

    charts: Charts
    checked: Checked

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
            overrule = await self._safely(self._is_by_server())
            await self._make_room()
            own = await self._change(lambda paths: upgrade.sent(paths, wait=wait, overrule=overrule))
        return await self._proven(own)

    async def rollback(self) -> Done:
        """Return to a recorded revision, as a new one. Raises Failed."""
        await self._give_up_if_cancelled()
        await self._refuse_unfit_namespace()
        own = await self._found()
        if own is None:
            target = self.run.order.revision or ""
            record = await self._safely(self._recorded(target))
            wait = self.spec.hooks and manifest.late_hooks(record.get("hooks") or ())
            overrule = history.by_server(record)
            await self._make_room()
            own = await self._change(
                lambda paths: calls.rollback(self.place, self.spec, target, paths, wait=wait, overrule=overrule),
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

    # -- what is fit ----------------------------------------------------------------------------------------------

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

    async def _make_room(self) -> None:
        """What the component wants deleted before an upgrade, also one that leads back."""
        if self.spec.before_upgrade:
            self.run.report("deletes what is in the way of an upgrade", 15)
            tell, seconds = partial(self.run.report, percent=15), self.spec.rollout.seconds
            await self._safely(clear(self.cluster, self.place, self.spec.before_upgrade, tell, seconds))

    def _upgrade(self, chart: Chart) -> calls.Upgrade:
        order = self.run.order
        about = f"Belay: {order.app} {order.version} on site {order.site}"
        files = [str(file) for file in chart.values_files]
        return calls.upgrade(self.place, self.spec, str(chart.path), files, order.key, about)

    async def _refuse_unfit_chart(self, upgrade: calls.Upgrade) -> bool:
        """Render it first: a chart that is none, or renders nothing, leaves the release alone. Whether hooks wait."""
        known = self.checked.take(self._identity(upgrade))
        return self._fit(await self._rendered(upgrade)) if known is None else known

    def _identity(self, upgrade: calls.Upgrade) -> str:
        """Of all that a chart is rendered from, but for what its templates ask of the cluster."""
        parts = (self.access.identity, self.place, upgrade.chart, upgrade.values_files)
        return hashlib.sha256(f"{parts} {self.spec.model_dump_json()}".encode()).hexdigest()

    async def _rendered(self, upgrade: calls.Upgrade) -> dict[str, Any]:
        """What helm would send. Raises Failed."""
        self.run.report("renders the chart", 10)
        ran = await self._helm(upgrade.rendered)
        while not ran.well:
            kinds = OwnKinds(self.cluster, self.releases, self._helm)
            if alone := await self._safely(kinds.rendered(upgrade, ran)):
                return alone
            await self._outage_or_failure(ran)
            ran = await self._helm(upgrade.rendered)
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def _fit(self, release: dict[str, Any]) -> bool:
        text = str(release.get("manifest") or "")
        if not manifest.objects(text) and not release.get("hooks"):
            raise Failed("renders_nothing", "the chart renders no object with these values")
        if lost := manifest.missing(self.spec.rollout.workloads, manifest.workloads(text, self.place.namespace)):
            raise Failed("missing_workload", f"the chart renders no {', '.join(lost)}, which rollout.workloads names")
        return self.spec.hooks and manifest.late_hooks(release.get("hooks") or ())

    async def _recorded(self, target: str) -> dict[str, Any]:
        """What Helm wrote down of the revision that is returned to. Raises Failed when it is gone."""
        revisions = await self.releases.all()
        wanted = next((each for each in revisions if str(each.number) == target and each.sound), None)
        if wanted is None:
            raise Failed("revision_missing", f"revision {target} of release {self.place.release} is gone")
        return await self.releases.record(wanted)

    async def _is_by_server(self) -> bool:
        """Whether an upgrade is applied by the API server: as what it follows was, Helm decides."""
        revisions = await self.releases.all()
        return bool(revisions) and history.by_server(await self.releases.record(revisions[-1]))

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
            check = version.proven(self.cluster, self.place.namespace, self.spec.version, released)
            said = f", version {await self._safely(check)}"
        said += HOOKS_AGAIN if self.run.note.get("hooks_again") else ""
        where = f"release {self.place.release} in namespace {self.place.namespace}"
        return Done(str(own.number), f"{where}: {len(workloads)} workloads are ready{said}")
