"""Charts whose objects are of kinds that the cluster learns with them, or from what they come behind."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.deployer.drivers import Order
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.sites import Make, broken, done
from tests.support.patience import patience

pytestmark = pytest.mark.kubernetes

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.GROUP}
spec:
  group: GROUP
  names: {kind: Lamp, plural: lamps}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""

LAMP = """
apiVersion: GROUP/v1
kind: Lamp
metadata: {name: hall}
"""

Unpack = Callable[[str, Path], Coroutine[Any, Any, None]]


@pytest.fixture
def group(cluster: Cluster) -> Iterator[str]:
    """Of a kind that this test alone knows."""
    name = f"g{uuid.uuid4().hex[:8]}.example.com"
    yield name
    cluster.http.delete(f"{DEFINITIONS}/lamps.{name}")


def chart(group: str, *, brings: bool) -> Unpack:
    """With a lamp, and what a lamp is."""

    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(sites.CHART, target / "chart")
        (target / "chart/templates/lamp.yaml").write_text(LAMP.replace("GROUP", group))
        if brings:
            (target / "chart/crds").mkdir()
            (target / "chart/crds/lamps.yaml").write_text(DEFINITION.replace("GROUP", group))

    return unpack


def lamps(cluster: Cluster, group: str) -> Any:
    """What the API server answers who asks for all of them."""
    return cluster.http.get(f"/apis/{group}/v1/namespaces/{cluster.namespace}/lamps")


def before(order: Order) -> Order:
    return replace(order, key=f"{order.key}-fetch", action="fetch", deploys=True)


async def test_a_chart_that_brings_the_kinds_of_its_own_objects_is_foreseen_fetched_and_installed(
    another: Make, cluster: Cluster, group: str
) -> None:
    driver = another(unpack=chart(group, brings=True))
    hooks = {"hooks": {"post-install": "registry.example/hook"}}
    order = cluster.order("o1", values=hooks)
    [lines] = await driver.foresee([order])
    assert lines == [
        f"makes the custom resource definition lamps.{group}",
        "makes deployment/web",
        "makes lamp/hall",
        "runs the hook job/hook-post-install after it is installed",
        "its hooks run once more where helm is cut off in the middle: they must bear that",
    ]
    await done(driver, before(order))
    await done(driver, order)
    assert [each["metadata"]["name"] for each in lamps(cluster, group).json()["items"]] == ["hall"]
    await done(driver, replace(cluster.order("o2", "2.0", hooks), connection=order.connection))
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]


async def test_kinds_that_nobody_brings_are_refused_with_nothing_done(
    another: Make, cluster: Cluster, group: str
) -> None:
    driver = another(unpack=chart(group, brings=False))
    order = cluster.order("o1")
    for each in (before(order), order):
        found = await broken(driver, each)
        assert (found.code, "Lamp" in found.message) == ("bad_manifest", True)
    assert cluster.http.get(f"/api/v1/namespaces/{cluster.namespace}").status_code == 404


async def test_kinds_of_a_component_that_comes_first_are_not_missed_before_it_came(
    another: Make, cluster: Cluster, group: str
) -> None:
    driver = another(unpack=chart(group, brings=False))
    order = cluster.order("o1")
    behind = replace(order, component=replace(order.component, after=("definitions",)))
    assert "cannot be rendered yet" in (await done(driver, before(behind))).detail
    definition = yaml.safe_load(DEFINITION.replace("GROUP", group))
    cluster.http.post(DEFINITIONS, json=definition).raise_for_status()
    async with patience(30):
        while lamps(cluster, group).status_code != 200:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
    await done(driver, behind)
    assert [each["metadata"]["name"] for each in lamps(cluster, group).json()["items"]] == ["hall"]
