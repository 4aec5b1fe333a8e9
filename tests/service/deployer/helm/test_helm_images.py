"""Images are on the nodes before an update begins; what cannot be pulled is found out while nothing was touched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import victim
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.pulls import Pods, limited
from tests.support.kubernetes.sites import Make, broken, done, finish, remove
from tests.support.patience import patience

pytestmark = pytest.mark.kubernetes

HISTORY = [(1, "deployed")]


def image(word: str = "app") -> str:
    """One that no other test has had pulled."""
    return f"registry.example/{word}-{uuid.uuid4().hex[:8]}"


def before(order: Order, key: str = "f1") -> Order:
    """The fetch that comes before the deployment."""
    return replace(order, key=key, action="fetch", deploys=True)


@pytest.fixture
def pods(cluster: Cluster) -> Iterator[Pods]:
    """Pods of the cluster that are there to pull images, as they come."""
    with Pods.seen(cluster) as pods:
        yield pods


async def test_nodes_have_the_images_before_the_update_begins_and_the_pods_are_gone(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": image()})
    result = await done(driver, before(order))
    assert result.detail == "the chart is here: chart"
    assert f"{order.component.spec.values['image']}:2.0" in pods.on_node()
    assert [len(pod["spec"]["containers"]) for pod in pods.made()] == [1]
    await pods.gone()
    assert cluster.history() == HISTORY
    await done(driver, order)
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]


@pytest.mark.parametrize(("word", "code"), [("missing", "image_not_pulled"), ("nospace", "disk_full")])
async def test_an_image_that_cannot_be_pulled_is_told_before_anything_is_touched(
    driver: DurableDriver, cluster: Cluster, pods: Pods, word: str, code: str
) -> None:
    await done(driver, cluster.order("o1"))
    was = cluster.get("deployment", "web")
    lost = image(word)
    found = await broken(driver, before(cluster.order("o2", "2.0", {"image": lost})))
    assert (found.code, "node pretend" in found.message, f"{lost}:2.0" in found.message) == (code, True, True)
    assert any("belay-images-" in line for line in found.last_lines)
    await pods.gone()
    assert cluster.history() == HISTORY
    assert cluster.get("deployment", "web") == was


async def test_a_registry_that_is_away_is_waited_for_with_the_nodes_own_back_off(
    another: Make, cluster: Cluster, pods: Pods
) -> None:
    patient, hasty = another(), another(refused_seconds=0.5)
    await done(patient, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": image("away")})
    assert (await broken(hasty, before(order))).code == "image_not_pulled"
    await patient.start([again := before(order, "f2")])
    await told(patient, again, "0 of 1 nodes have the images; node pretend: ", "connection refused")
    pods.answer_all()
    assert isinstance((await finish(patient, again, begin=False))[0], Done)
    await pods.gone()


async def told(driver: DurableDriver, order: Order, *words: str) -> None:
    async with patience(60):
        while True:
            [progress] = await driver.poll([order])
            assert isinstance(progress, Running), progress
            if all(word in progress.detail for word in words):
                return
            await driver.wait(0.05)


async def test_what_the_running_release_has_is_not_pulled_and_costs_no_pod(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, order := cluster.order("o1", values={"image": image()}))
    await done(driver, before(replace(order, key="o2")))
    assert pods.made() == []


async def test_what_a_node_says_it_has_is_not_pulled(
    driver: DurableDriver, another: Make, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": image()})
    await done(driver, before(order))
    await done(another(), before(order, "f2"))
    assert len(pods.made()) == 1


async def test_a_first_installation_has_nothing_to_protect_and_leaves_no_namespace(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    order = cluster.order("o1", values={"image": image("missing")}, images="require")
    result = await done(driver, before(order))
    assert "its namespace is not there yet" in result.detail
    assert cluster.http.get(f"/api/v1/namespaces/{cluster.namespace}").status_code == 404
    assert pods.made() == []


async def test_hooks_and_further_workloads_have_their_images_pulled_by_the_same_pod(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    values = {"image": image(), "also": ["StatefulSet", "Job"], "alsoImage": image(), "hooks": {"pre-upgrade": image()}}
    await done(driver, before(cluster.order("o2", "2.0", values)))
    [pod] = pods.made()
    assert len(pod["spec"]["containers"]) == 3
    await pods.gone()


async def test_a_chart_is_rendered_by_the_fetch_and_not_once_more_by_the_deployment(
    another: Make, cluster: Cluster, helm: Path, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    told_on = tmp_path / "told-on"
    told_on.write_text(f'#!/bin/sh\necho "$@" >> {said}\nexec {helm} "$@"\n')
    told_on.chmod(0o755)
    driver = another(binary=str(told_on))
    await done(driver, cluster.order("o1"))
    said.unlink()
    order = cluster.order("o2", "2.0")
    await done(driver, before(order))
    await done(driver, order)
    assert ["--dry-run=server" in line for line in said.read_text().splitlines()] == [True, False]


# -- killed, cancelled, shared ----------------------------------------------------------------------------------------


async def test_a_deployer_killed_in_mid_fetch_leaves_pods_that_the_next_one_goes_on_with(
    driver: DurableDriver, cluster: Cluster, pods: Pods, kubernetes: Lab, deployer_database: str, tmp_path: Path
) -> None:
    await done(driver, cluster.order("o1"))
    fetch = before(cluster.order("o2", "2.0", {"image": image("slow")}))
    dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", fetch, tmp_path)
    await pods.some()
    victim.kill(dead)
    await driver.start([fetch])
    await told(driver, fetch, "0 of 1 nodes have the images")
    pods.answer_all()
    assert isinstance((await finish(driver, fetch, begin=False))[0], Done)
    assert len(pods.made()) == 1
    await pods.gone()


async def test_a_fetch_cancelled_after_its_deployer_died_leaves_no_pod(
    driver: DurableDriver, cluster: Cluster, pods: Pods, kubernetes: Lab, deployer_database: str, tmp_path: Path
) -> None:
    await done(driver, cluster.order("o1"))
    fetch = before(cluster.order("o2", "2.0", {"image": image("slow")}))
    dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", fetch, tmp_path)
    await pods.some()
    victim.kill(dead)
    await driver.cancel([fetch])
    found = (await finish(driver, fetch, begin=False))[0]
    assert isinstance(found, Broken)
    assert found.code == "cancelled"
    await pods.gone()


async def test_a_cancelled_fetch_leaves_no_pod(driver: DurableDriver, cluster: Cluster, pods: Pods) -> None:
    await done(driver, cluster.order("o1"))
    fetch = before(cluster.order("o2", "2.0", {"image": image("slow")}))
    await driver.start([fetch])
    await pods.some()
    await driver.cancel([fetch])
    found = (await finish(driver, fetch, begin=False))[0]
    assert isinstance(found, Broken)
    assert found.code == "cancelled"
    await pods.gone()
    assert cluster.history() == HISTORY


async def test_sites_of_one_cluster_wait_for_the_first_of_them_and_find_the_images_there(
    driver: DurableDriver, another: Make, cluster: Cluster, kubernetes: Lab, pods: Pods
) -> None:
    shared, places = image("slow"), [cluster, replace(cluster, prefix=f"{kubernetes.namespace()}-")]
    drivers = [driver, another()]  # of one replica, and of another
    orders = [place.order(f"u{n}", "2.0", {"image": shared}, site=f"s{n}") for n, place in enumerate(places)]
    fetches = [before(order, f"f-{order.key}") for order in orders]
    for n, place in enumerate(places):
        await done(driver, place.order(f"o{n}", site=f"s{n}"))
    await drivers[0].start(fetches[:1])
    await pods.some()
    await drivers[1].start(fetches[1:])
    await told(drivers[1], fetches[1], "waits until other sites of its cluster have these images")
    pods.answer_all(keep=True)
    found = await asyncio.gather(*(finish(d, f, begin=False) for d, f in zip(drivers, fetches, strict=True)))
    assert all(isinstance(each, Done) for [each] in found), found
    assert len(pods.made()) == 1
    await pods.gone()


# -- what the cluster does not allow ----------------------------------------------------------------------------------


async def limit(cluster: Cluster) -> None:
    cluster.create("resourcequota", {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    async with patience(30):
        while not cluster.get("resourcequota", "few").get("status", {}).get("used"):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)


async def test_a_quota_that_leaves_no_room_is_told_and_the_update_goes_on(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    one_at_a_time = {"strategy": {"type": "Recreate"}}
    await done(driver, cluster.order("o1", values=one_at_a_time))
    await limit(cluster)
    order = cluster.order("o2", "2.0", {"image": image(), **one_at_a_time})
    result = await done(driver, before(order))
    assert "exceeded quota: few" in result.detail
    assert pods.made() == []
    await done(driver, order)
    required = cluster.order("o3", "3.0", {"image": image()}, images="require")
    found = await broken(driver, before(required, "f3"))
    assert (found.code, "exceeded quota: few" in found.message) == ("images_not_ahead", True)
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]


@pytest.mark.parametrize("mode", [None, "require", "never"])
async def test_who_may_make_no_pods_is_told_and_the_update_goes_on_unless_images_are_required(
    driver: DurableDriver, cluster: Cluster, pods: Pods, mode: str | None
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": image()})
    connection = {**order.connection, "kubeconfig": limited(cluster, forbidden="pods"), "images": mode}
    order = replace(order, connection=connection)
    [result] = await finish(driver, before(order))
    if mode == "require":
        assert isinstance(result, Broken)
        assert (result.code, "cannot create resource" in result.message) == ("images_not_ahead", True)
        return
    assert isinstance(result, Done), result
    assert ("cannot create resource" in result.detail) == (mode is None)
    await done(driver, order)
    assert pods.made() == []


async def test_who_may_not_see_nodes_has_those_pull_that_run_its_pods(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": image()})
    order = replace(order, connection={**order.connection, "kubeconfig": limited(cluster)})
    result = await done(driver, before(order))
    assert "nodes may not be listed" in result.detail
    assert f"{order.component.spec.values['image']}:2.0" in pods.on_node()
    await pods.gone()


async def test_a_namespace_that_admits_only_restricted_pods_takes_these(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    cluster.http.patch(f"/api/v1/namespaces/{cluster.namespace}", json=labels, headers=headers).raise_for_status()
    result = await done(driver, before(cluster.order("o2", "2.0", {"image": image()})))
    assert (result.detail, len(pods.made())) == ("the chart is here: chart", 1)


def node(name: str, spec: dict[str, Any], *conditions: str) -> dict[str, Any]:
    room = {"cpu": "8", "memory": "8Gi", "pods": "50"}
    said = [{"type": kind, "status": "True"} for kind in conditions]
    status = {"capacity": room, "allocatable": room, "conditions": said}
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("spec", "conditions", "told_of"),
    [
        ({"unschedulable": True}, ("Ready",), ""),
        ({}, (), ""),
        ({"taints": [{"key": "of-others", "effect": "NoSchedule"}]}, ("Ready",), ""),
        ({}, ("Ready", "DiskPressure"), "has no room on its disk (DiskPressure)"),
    ],
)
async def test_nodes_that_take_no_pods_are_left_out(
    driver: DurableDriver, cluster: Cluster, pods: Pods, spec: dict[str, Any], conditions: tuple[str, ...], told_of: str
) -> None:
    await done(driver, cluster.order("o1"))
    with pods.node(node("second", spec, *conditions)):
        result = await done(driver, before(cluster.order("o2", "2.0", {"image": image()})))
    assert told_of in result.detail
    assert [pod["spec"].get("nodeName") for pod in pods.made()] == ["pretend"]


async def test_images_may_be_required_where_an_affinity_closes_nodes_to_the_workload(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    elsewhere = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["second"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [elsewhere]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    with pods.node(node("second", {}, "Ready")):
        order = cluster.order("o2", "2.0", {"image": image(), "affinity": affinity}, images="require")
        result = await done(driver, before(order))
    assert result.detail == "the chart is here: chart"
    assert [pod["spec"].get("nodeName") for pod in pods.made()] == ["pretend"]


async def test_images_may_be_required_where_the_chart_brings_a_further_namespace(
    driver: DurableDriver, cluster: Cluster, pods: Pods
) -> None:
    await done(driver, cluster.order("o1"))
    values = {"image": image(), "also": ["Elsewhere"], "alsoImage": image()}
    result = await done(driver, before(cluster.order("o2", "2.0", values, images="require")))
    assert "its namespace is not there yet" in result.detail
    assert len(pods.made()) == 1


# -- what waits for whom ----------------------------------------------------------------------------------------------


async def test_no_removal_waits_behind_nodes_that_pull(
    another: Make, cluster: Cluster, kubernetes: Lab, pods: Pods
) -> None:
    driver, other = another(at_once=1), replace(cluster, prefix=f"{kubernetes.namespace()}-")
    await done(driver, cluster.order("o1"))
    await done(driver, gone := other.order("o2", site="s2"))
    await driver.start([fetch := before(cluster.order("o3", "2.0", {"image": image("slow")}))])
    await pods.some()
    await done(driver, remove("o4", gone))
    await driver.cancel([fetch])
    assert isinstance((await finish(driver, fetch, begin=False))[0], Broken)
    await pods.gone()
