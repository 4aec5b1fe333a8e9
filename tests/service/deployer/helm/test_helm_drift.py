"""What others change of a release: found, told, put right once; what an autoscaler does is its own affair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from services.deployer.drivers import Order
from services.deployer.drivers.durable.driver import DurableDriver
from shared.messages.base import CommandAccepted
from shared.messages.deployer import AutomaticRequested, DriftEnded, DriftFound, OperationSucceeded, SetAppBehaviour
from tests.service.deployer.audited import looked_at, put_right
from tests.service.deployer.fleet import Fleet, ready
from tests.service.deployer.test_secrets import put
from tests.support.components import as_published
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import done
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = [pytest.mark.kubernetes, pytest.mark.service]

THREE = {"replicas": 3}
AUTOSCALER = {
    "metadata": {"name": "web"},
    "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
}


async def fallen(driver: DurableDriver, order: Order, revision: str) -> str:
    """What is told of a component that was left at a revision; empty = it is as it was left."""
    [found] = await driver.look([sites.rollback("look", order, revision)])
    return found.message if found else ""


async def settled(driver: DurableDriver, order: Order, revision: str) -> str:
    """The same, once its workloads have rolled out."""

    async def they_are() -> bool:
        return not (await fallen(driver, order, revision)).startswith("it was up")

    await until_so(they_are)
    return await fallen(driver, order, revision)


async def has(cluster: Cluster, replicas: int) -> None:
    """Until so many pods of the Deployment are there, and no others."""

    async def they_are() -> bool:
        status = cluster.get("deployment", "web")["status"]
        return (status.get("replicas", 0), status.get("availableReplicas", 0)) == (replicas, replicas)

    await until_so(they_are)


def upgrade_by_hand(cluster: Cluster, *words: str) -> None:
    chart = ("upgrade", "shop-web", str(sites.CHART), "--namespace", cluster.namespace)
    sites.helm(cluster.lab, *chart, "--reuse-values", *words)


async def test_another_revision_than_was_recorded_is_found_and_those_that_belay_makes_itself_are_recorded(
    driver: DurableDriver, cluster: Cluster
) -> None:
    order = cluster.order("o1")
    assert await fallen(driver, order, (await done(driver, order)).revision) == ""
    await done(driver, cluster.order("o2", "2.0"))
    back = (await done(driver, sites.rollback("o3", order, "1"))).revision
    assert (back, await fallen(driver, order, back)) == ("3", "")
    upgrade_by_hand(cluster, "--set", "annotations.by=hand")
    assert await fallen(driver, order, back) == "revision 4 runs there, and not 3"
    refused = replace(order, connection={**order.connection, "kubeconfig": SecretStr(nobody(cluster.lab))})
    assert await fallen(driver, refused, back) == ""
    right = (await done(driver, sites.rollback("o4", order, back))).revision
    assert (right, await fallen(driver, order, right)) == ("5", "")


def nobody(lab: Lab) -> str:
    """A kubeconfig with a token that the API server does not know."""
    return lab.kubeconfig.replace(str(lab.config["users"][0]["user"]["token"]), "nobody")


async def test_a_workload_that_was_scaled_down_is_found_unless_an_autoscaler_may_have_done_so(
    driver: DurableDriver, cluster: Cluster
) -> None:
    order = cluster.order("o1", values=THREE)
    revision = (await done(driver, order)).revision
    for replicas in (0, 1):
        cluster.scale("deployment", "web", replicas)
        told = f"deployment/web: it was scaled to {replicas}, and its chart asks for 3"
        assert await fallen(driver, order, revision) == told
    await has(cluster, 1)
    cluster.create("horizontalpodautoscaler", AUTOSCALER)
    assert await fallen(driver, order, revision) == ""
    cluster.delete("horizontalpodautoscaler", "web")
    assert await fallen(driver, order, revision) == told
    cluster.scale("deployment", "web", 5)
    await has(cluster, 5)
    assert await fallen(driver, order, revision) == ""


async def test_each_object_is_looked_at_by_what_its_chart_says_of_it_and_nothing_else_of_it_is(
    driver: DurableDriver, cluster: Cluster
) -> None:
    values = {**THREE, "also": ["Config", "Service", "DaemonSet"], "cpu": "0.5"}
    alone = {"configmap/web": ("data.port",)}
    order = cluster.order("o1", values=values, left_alone=alone)
    revision = (await done(driver, order)).revision
    assert await fallen(driver, order, revision) == "", "a quantity, a null and a stringData are as the server has them"
    beside = {"name": "beside", "image": "registry.example/beside"}
    template = cluster.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    more = {
        "metadata": {"annotations": {"by": "hand"}},
        "spec": {"template": {"spec": {"containers": [template, beside]}}},
    }
    cluster.patch("deployment", "web", more)
    cluster.patch("configmap", "web", {"data": {"more": "of ours", "port": "81"}})
    assert await settled(driver, order, revision) == "", "what the chart does not say is left alone"
    cluster.patch("configmap", "web", {"data": {"level": "debug"}})
    cluster.patch("secret", "web", {"data": {"token": "c3RhcGxl"}})
    cluster.delete("service", "web")
    by_hand = {
        "spec": {"template": {"spec": {"containers": [{**template, "image": "registry.example/by-hand:1"}, beside]}}}
    }
    cluster.patch("deployment", "web", by_hand)
    told = (await settled(driver, order, revision)).split("; ")
    assert sorted(told) == [
        "configmap/web was changed: data.level",
        (
            "deployment/web was changed: spec.template.spec.containers[0].image"
            " (registry.example/app:1.0 → registry.example/by-hand:1)"
        ),
        "secret/web was changed: data.token",
        "service/web is gone",
    ]
    refused = replace(order, connection={**order.connection, "kubeconfig": SecretStr(nobody(cluster.lab))})
    assert await fallen(driver, refused, revision) == ""
    right = (await done(driver, sites.rollback("o2", order, revision))).revision
    assert await fallen(driver, order, right) == ""
    assert cluster.get("configmap", "web")["data"] == {"level": "info", "port": "80", "more": "of ours"}


async def test_what_was_changed_by_hand_keeps_no_site_from_an_update_nor_from_the_way_back(
    driver: DurableDriver, cluster: Cluster
) -> None:
    first = cluster.order("o1", values=THREE)
    revision = (await done(driver, first)).revision
    container = {"name": "app", "image": "registry.example/by-hand"}
    by_hand = {"spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}
    for order in (cluster.order("o2", "2.0", THREE), sites.rollback("o3", first, revision)):
        cluster.patch("deployment", "web", by_hand)
        await done(driver, order)
        assert cluster.image() == f"registry.example/app:{order.version}"
        assert cluster.get("deployment", "web")["spec"]["replicas"] == 3


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_PAUSE_SECONDS", "0.2")
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_AGAIN_SECONDS", "0.1")


@asynccontextmanager
async def site(world: World, driver: DurableDriver, cluster: Cluster) -> AsyncIterator[Fleet]:
    """The site s1 with release 1.0 of the app `shop`, which is to stay deployed."""
    own: dict[str, Any] = {"audit_seconds": 0.5, "recovery_seconds": 60, "stop_seconds": 20}
    async with ready(world, [], [], also={"helm": driver}, **own) as fleet:
        at = {"kubeconfig": {"secret": "cluster"}, "namespace_prefix": cluster.prefix}
        await fleet.tell_site("s1", {"helm": at})
        await put(world, "cluster", cluster.lab.kubeconfig)
        await fleet.release("1.0", as_published(sites.component({**THREE, "also": ["Config"]})))
        await fleet.known(fleet.service)
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        switches = SetAppBehaviour.model_validate({"app": "shop", "switches": {"desired_state": "deployed"}})
        assert isinstance(await world.ask(switches), CommandAccepted)
        yield fleet


async def test_a_release_that_is_changed_by_hand_in_whatever_way_is_told_and_put_right_once_and_not_told_again(
    world: World, kubernetes: Lab, cluster: Cluster
) -> None:
    driver = sites.driver(kubernetes, world.settings("deployer").postgres, world.home / "helm")
    async with site(world, driver, cluster) as fleet:
        await looked_at(fleet, times=2)
        assert world.events(DriftFound) == []
        upgrade_by_hand(cluster, "--set", "version=9.9")
        assert await put_right(fleet, 1) == "revision 2 runs there, and not 1"
        assert cluster.image().endswith(":1.0")
        cluster.scale("deployment", "web", 0)
        assert await put_right(fleet, 2) == "deployment/web: it was scaled to 0, and its chart asks for 3"
        await has(cluster, 3)
        cluster.patch("configmap", "web", {"data": {"level": "debug"}})
        assert await put_right(fleet, 3) == "configmap/web was changed: data.level"
        assert cluster.get("configmap", "web")["data"]["level"] == "info"
        cluster.delete("configmap", "web")
        assert await put_right(fleet, 4) == "configmap/web is gone"
        assert world.events(DriftFound)[-1].sites[0].components[0].code == "differs"
        await looked_at(fleet, times=3)
        told = [len(world.events(kind)) for kind in (DriftFound, AutomaticRequested, DriftEnded)]
        assert (told, cluster.history()[-1]) == ([4, 4, 4], (6, "deployed"))
    await driver.close()
