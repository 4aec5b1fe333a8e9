"""Releases of Helm in a real control plane: each site has namespaces of its own."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import trustme

from tests.hands.hand import BROKEN, Hand, processes_with
from tests.support.kubernetes import build, lab
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import CHART, helm, history

RELEASE = "shop-helm-web"


class HelmHand(Hand):
    driver: ClassVar[str] = "helm"

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        super().__init__(folder, closing)
        self.lab = Lab(closing.enter_context(lab.folder()), build.helm(), trustme.CA())
        closing.callback(self.lab.stop)
        self.lab.start()

    @classmethod
    def missing(cls) -> str | None:
        try:
            build.helm()
            build.kubelab()
        except build.Missing as missing:
            return str(missing)
        return None

    @property
    def environment(self) -> Mapping[str, str]:
        return {"BELAY_HELM_BINARY": str(self.lab.helm)}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"cluster": self.lab.kubeconfig}

    def connection(self, site: str) -> dict[str, Any]:
        return {"kubeconfig": {"secret": "cluster"}, "namespace_prefix": f"{site}-"}

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        shutil.copytree(CHART, folder / "chart")
        values = {"version": version, "replicas": 2}
        if version == BROKEN:
            values["image"] = "registry.example/broken"
        rollout = {"seconds": 5 if version == BROKEN else 120}
        return {"chart": "chart", "namespace": "shop", "values": values, "rollout": rollout, "history": 1000}

    def runs(self, site: str) -> str | None:
        if not self._revisions(site) or self._revisions(site)[-1][1] != "deployed":
            return None
        values = helm(self.lab, "get", "values", RELEASE, "--namespace", f"{site}-shop", "--output", "json")
        return str(values.get("version"))

    def doubled(self, operations: Sequence[Mapping[str, Any]]) -> list[str]:
        wanted = Counter(o["site"] for o in operations if _changed(o))
        return [
            f"{site} had {count} operations, and Helm made {made} revisions that hold"
            for site, count in wanted.items()
            if (made := sum(status in ("deployed", "superseded") for _, status in self._revisions(site))) != count
        ]

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        pending = [
            f"{site}: revision {number} is {status}"
            for site in sites
            for number, status in self._revisions(site)
            if status.startswith("pending") or status == "uninstalling"
        ]
        secret = [f"the file {path}" for path in home.rglob("*") if path.is_file() and "kubeconfig" in path.name]
        return pending + secret + processes_with(str(home / "helm"))

    def _revisions(self, site: str) -> list[tuple[int, str]]:
        try:
            return history(self.lab, f"{site}-shop", RELEASE)
        except AssertionError:  # there is no release
            return []


def _changed(operation: Mapping[str, Any]) -> bool:
    return operation["site"].startswith("helm-") and any(way["action"] != "keep" for way in operation["plan"])
