"""What previews say of releases: asked of the cluster, with nothing changed there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.sites import Make, done

pytestmark = pytest.mark.kubernetes

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  names: {kind: Lamp, plural: lamps}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


async def test_an_installation_names_its_objects_hooks_and_definitions(another: Make, cluster: Cluster) -> None:
    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(sites.CHART, target / "chart")
        (target / "chart/crds").mkdir()
        (target / "chart/crds/lamp.yaml").write_text(DEFINITION)

    driver = another(unpack=unpack)
    order = cluster.order("o1", values={"hooks": {"pre-install": "registry.example/hook"}})
    assert await driver.foresee([order]) == [
        [
            "makes the custom resource definition lamps.example.com",
            "makes deployment/web",
            "runs the hook job/hook-pre-install before it is installed",
            "its hooks run once more where helm is cut off in the middle: they must bear that",
        ]
    ]
    assert cluster.http.get(f"/api/v1/namespaces/{cluster.namespace}").status_code == 404
    await done(driver, order)
    assert (await driver.foresee([replace(order, key="o2")]))[0][0].startswith("leaves the custom resource definition")


async def test_an_upgrade_names_what_differs_field_by_field(driver: DurableDriver, cluster: Cluster) -> None:
    await done(driver, cluster.order("o1", "1.0"))
    same, other = cluster.order("o2", "1.0"), cluster.order("o3", "2.0", {"also": ["Job"]})
    unchanged, changed = await driver.foresee([same, other])
    assert unchanged == []
    assert changed[0] == "makes job/migrate-2-0"
    assert "spec.template.spec.containers[0].image (registry.example/app:1.0 → registry.example/app:2.0)" in changed[1]
    assert cluster.history() == [(1, "deployed")]


async def test_the_way_back_and_the_removal_are_told_too(driver: DurableDriver, cluster: Cluster) -> None:
    first = cluster.order("o1", "1.0", {"hooks": {"pre-delete": "registry.example/hook"}})
    revision = (await done(driver, first)).revision
    await done(driver, cluster.order("o2", "2.0"))
    back, gone = sites.rollback("o3", first, revision), sites.remove("o4", first)
    [way_back, removal] = await driver.foresee([back, gone])
    assert way_back[0].startswith("changes deployment/web")
    assert removal == ["removes deployment/web"]


async def test_what_cannot_be_asked_is_said_and_spoils_nothing(driver: DurableDriver, cluster: Cluster) -> None:
    bad = replace(cluster.order("o1"), connection={"kubeconfig": SecretStr("{")})
    worse, good = await driver.foresee([bad, cluster.order("o2")])
    assert worse[0].startswith("it cannot be said what would change: kubeconfig")
    assert good == ["makes deployment/web"]
