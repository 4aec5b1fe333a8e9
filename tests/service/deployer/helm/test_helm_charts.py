"""Charts of a registry, and charts that nobody here wrote."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from obstore.store import LocalStore

from services.deployer.drivers import Broken
from services.deployer.drivers.bundles import Unpack, from_store
from services.deployer.drivers.durable.driver import DurableDriver
from shared.blobs import Blobs
from shared.bundle import build as build_bundle
from tests.support.kubernetes import build, sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab, Registry
from tests.support.kubernetes.sites import Make, broken, done, finish
from tests.support.patience import patience
from tests.support.small_disk import fill, small_disk

pytestmark = pytest.mark.kubernetes


def push(helm: Path, registry: str, folder: Path) -> str:
    """The test's chart in a registry; its name there, by digest."""
    sites.helm_alone(helm, folder, "package", str(sites.CHART), "--destination", str(folder))
    packed, target = str(folder / "web-0.1.0.tgz"), f"oci://{registry}/charts"
    said = sites.helm_alone(helm, folder, "push", packed, target, "--plain-http")
    [digest] = re.findall(r"sha256:[0-9a-f]{64}", said)
    return f"oci://{registry}/charts/web@{digest}"


async def test_a_chart_of_a_registry_is_pulled_once_by_its_digest(
    driver: DurableDriver, cluster: Cluster, registry: Registry, helm: Path, tmp_path: Path
) -> None:
    chart = push(helm, registry.address, tmp_path)
    order = cluster.order("o1", chart=chart)
    order = replace(order, bundle_sha256=None, connection={**order.connection, "registry": {"plain_http": True}})
    await done(driver, sites.fetch("o0", order))
    registry.stop()
    assert (await done(driver, order)).revision == "1"


async def test_a_chart_that_the_registry_does_not_have_is_told(
    driver: DurableDriver, cluster: Cluster, registry: Registry
) -> None:
    order = cluster.order("o1", chart=f"oci://{registry.address}/charts/web@sha256:{'0' * 64}")
    order = replace(order, connection={**order.connection, "registry": {"plain_http": True}})
    assert (await broken(driver, order)).code == "chart_not_pulled"


async def test_podinfo_is_deployed_changed_and_returned_to(another: Make, cluster: Cluster) -> None:
    folder = build.module(build.PODINFO) / "charts/podinfo"

    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(folder, target / "chart")

    driver = another(unpack=unpack)
    values = {"redis": {"enabled": True}, "hpa": {"enabled": True}}
    name = "shop-web-podinfo"
    check = {"label": {"workload": f"deployment/{name}", "label": "app.kubernetes.io/name"}, "expected": name}
    first = cluster.order("o1", "6.9.2", values, version_check=check)
    labelled = {**values, "podAnnotations": {"colour": "green"}, "replicaCount": 2}
    revision = (await done(driver, first)).revision
    await done(driver, cluster.order("o2", "6.9.3", labelled))
    await done(driver, sites.rollback("o3", first, revision))
    assert cluster.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    await done(driver, sites.remove("o4", first))
    assert cluster.names("deployment") == []


async def test_the_metrics_server_with_its_roles_and_api_is_deployed_and_removed(
    another: Make, cluster: Cluster
) -> None:
    folder = build.module(build.METRICS_SERVER) / "charts/metrics-server"

    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(folder, target / "chart")

    driver = another(unpack=unpack)
    order = cluster.order("o1", "0.9.0", release="metrics-server")
    await done(driver, order)
    await done(driver, sites.remove("o2", order))
    assert cluster.names("deployment") == []


async def test_a_disk_of_the_deployers_that_is_full_is_told_and_the_release_is_left_alone(
    another: Make, cluster: Cluster, registry: Registry, helm: Path, tmp_path: Path
) -> None:
    unpack, bundle = await bundled(tmp_path)
    pulled = cluster.order("o2", "2.0", chart=push(helm, registry.address, tmp_path))
    pulled = replace(pulled, connection={**pulled.connection, "registry": {"plain_http": True}})
    await done(another(), cluster.order("o1"))
    with small_disk(tmp_path / "host-1") as disk:
        driver, filler = another(unpack=unpack), fill(disk)
        for order in (replace(cluster.order("o3", "2.0"), bundle_sha256=bundle), pulled, sites.fetch("o4", pulled)):
            found = await broken(driver, order)
            assert (found.code, "o space left on device" in found.message) == ("disk_full", True), found
        assert cluster.history() == [(1, "deployed")]
        filler.unlink()
        await done(driver, replace(cluster.order("o5", "2.0"), bundle_sha256=bundle))
        assert cluster.history() == [(1, "superseded"), (2, "deployed")]
        await driver.close()


async def bundled(tmp_path: Path) -> tuple[Unpack, str]:
    """The test's chart in a real bundle of a real store."""
    component = {"driver": "helm", "name": "web", "spec": {"chart": "chart", "namespace": "shop"}}
    shutil.copytree(sites.CHART, tmp_path / "in/chart")
    manifest = {"app": "shop", "version": "2.0", "components": [component]}
    (tmp_path / "in/bundle.yaml").write_text(yaml.safe_dump(manifest))
    await asyncio.to_thread(build_bundle, tmp_path / "in", tmp_path / "out.tar.gz", tmp_path)
    content = (tmp_path / "out.tar.gz").read_bytes()
    blobs = Blobs(LocalStore(tmp_path / "blobs", mkdir=True), tmp_path / "blobs")

    async def once() -> AsyncIterator[bytes]:
        yield content

    return from_store(blobs), (await blobs.put(once(), len(content))).sha256


async def test_no_change_waits_for_a_place_that_a_hanging_registry_holds(
    another: Make, cluster: Cluster, kubernetes: Lab, helm: Path, tmp_path: Path
) -> None:
    pulling, hangs = tmp_path / "pulling", tmp_path / "hangs"
    hangs.write_text(f'#!/bin/sh\n[ "$1" = pull ] && touch {pulling} && exec sleep 600\nexec {helm} "$@"\n')
    hangs.chmod(0o755)
    driver, other = another(binary=str(hangs), processes=1), replace(cluster, prefix=f"{kubernetes.namespace()}-")
    order = cluster.order("o1", chart=f"oci://registry.example/charts/web@sha256:{'0' * 64}", images="never")
    await driver.start([fetch := replace(order, action="fetch", deploys=True)])
    async with patience(30):
        while not pulling.exists():
            await driver.wait(0.05)
    await done(driver, other.order("o2", site="s2"))
    await driver.cancel([fetch])
    assert isinstance((await finish(driver, fetch, begin=False))[0], Broken)
