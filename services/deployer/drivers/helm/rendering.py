"""A chart rendered of which the objects are of kinds that it brings itself.

Helm looks up every kind in the cluster, in a dry run too, and the definitions of a chart's own `crds` are not there
before its first installation: operators that bring their resources along could never be looked at beforehand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import yaml

from services.deployer.drivers.helm import calls, kinds
from services.deployer.drivers.helm.binary import Ran
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.kinds import Kind
from services.deployer.drivers.helm.releases import Releases
from services.deployer.drivers.helm.running import Arguer


@dataclass(frozen=True, slots=True)
class OwnKinds:
    """Where a chart is to be rendered, and by what."""

    cluster: Cluster
    releases: Releases
    helm: Callable[[Arguer], Awaitable[Ran]]

    async def rendered(self, upgrade: calls.Upgrade, failed: Ran) -> dict[str, Any] | None:
        """What helm would send, with nothing asked of the cluster by templates; None where it failed for another
        reason. Raises Failed where the cluster cannot be asked."""
        lacking = kinds.unknown(failed.words)
        # An upgrade brings no definitions: helm would fail then as it did now.
        if not lacking or not upgrade.spec.crds or await self.releases.all():
            return None
        own = await self._brought(upgrade)
        return await self._alone(upgrade, own) if lacking <= own else None

    async def _brought(self, upgrade: calls.Upgrade) -> frozenset[Kind]:
        shown = await self.helm(lambda _: calls.definitions(upgrade.chart))
        try:
            return kinds.defined(shown.stdout.decode()) if shown.well else frozenset()
        except (yaml.YAMLError, UnicodeDecodeError):
            return frozenset()

    async def _alone(self, upgrade: calls.Upgrade, own: frozenset[Kind]) -> dict[str, Any] | None:
        said = await self.cluster.get("/version") or {}
        known = kinds.api_versions(await self.cluster.get("/apis") or {}, own)
        ran = await self.helm(lambda paths: upgrade.alone(paths, str(said.get("gitVersion")), known))
        return kinds.as_release(ran.stdout.decode()) if ran.well else None
