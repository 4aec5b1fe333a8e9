"""Charts that nobody here wrote, podinfo and the metrics-server, in place of the tests' own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.hands.hand import BROKEN
from tests.hands.helm import RELEASE, HelmHand
from tests.support.kubernetes import build
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.sites import helm

OF_THE_CLUSTER = ("rbac", "apiService")
"""What the metrics-server would have but once in a whole cluster, of which each site has but some namespaces."""


class PublicChartsHand(HelmHand):
    """Podinfo with its Redis on each site, and a metrics-server for each further component."""

    @classmethod
    def missing(cls) -> str | None:
        try:
            for each in (build.PODINFO, build.METRICS_SERVER):
                build.module(each)
        except build.Missing as missing:
            return str(missing)
        return super().missing()

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        shutil.copytree(build.module(build.PODINFO) / "charts/podinfo", folder / "podinfo")
        repository = "registry.example/broken" if version == BROKEN else "registry.example/podinfo"
        image = {"repository": repository, "tag": version}
        values = {"image": image, "replicaCount": 2, "redis": {"enabled": True}, "hpa": {"enabled": True}}
        rollout = {"seconds": 5 if version == BROKEN else 180}
        return {"chart": "podinfo", "namespace": "shop", "values": values, "rollout": rollout, "history": 1000}

    def beside(self, name: str, folder: Path) -> dict[str, Any]:
        if not (folder / "metrics-server").exists():
            shutil.copytree(build.module(build.METRICS_SERVER) / "charts/metrics-server", folder / "metrics-server")
        values = {part: {"create": False} for part in OF_THE_CLUSTER}
        spec = {"chart": "metrics-server", "namespace": "shop", "values": values, "rollout": {"seconds": 180}}
        return {"driver": "helm", "name": name, "spec": spec}

    def runs(self, site: str) -> str | None:
        """By the images of its pods that are ready, as the API server has them."""
        with self._cluster(site) as cluster:
            found = cluster.get("deployment", f"{RELEASE}-podinfo")
        if found is None or found["status"].get("updatedReplicas") != found["status"].get("readyReplicas"):
            return None
        [container] = found["spec"]["template"]["spec"]["containers"]
        return str(container["image"].rpartition(":")[2])

    def spoil(self, home: Path, site: str, version: str) -> str | None:
        """What Helm keeps of the release is nothing that the API server takes: the way back to it ends half-way."""
        with self._cluster(site) as cluster:
            for number, _ in self._revisions(site):
                record = cluster.record(number, RELEASE)
                if record["config"]["image"]["tag"] == version:
                    spoilt = record["manifest"].replace("imagePullPolicy: IfNotPresent", "imagePullPolicy: Sometimes")
                    cluster.put_record(number, {**record, "manifest": spoilt}, RELEASE)
        return "the manifest that Helm keeps of it"

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        """Of the components beside, too."""
        words = ("--pending", "--uninstalling", "--output", "json")
        found = {site: helm(self.lab, "list", "--namespace", f"{site}-shop", *words) for site in sites}
        half = [f"{site}: {one['name']} is {one['status']}" for site, each in found.items() for one in each]
        return [*super().left_behind(home, sites), *half]

    @contextmanager
    def _cluster(self, site: str) -> Iterator[Cluster]:
        with Cluster.of(self.lab) as cluster:
            yield replace(cluster, prefix=f"{site}-")
