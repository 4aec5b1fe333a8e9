"""Releases deployed, changed, returned to and removed, told by Helm and by the cluster themselves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.deployer.drivers import Broken, Done, Running
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import Make, broken, done, finish

pytestmark = pytest.mark.kubernetes


async def test_revisions_are_helms_own(driver: DurableDriver, cluster: Cluster) -> None:
    first = await done(driver, cluster.order("o1", "1.0"))
    second = await done(driver, cluster.order("o2", "2.0"))
    back = await done(driver, sites.rollback("o3", cluster.order("o1", "1.0"), first.revision))
    assert [first.revision, second.revision, back.revision] == ["1", "2", "3"]
    assert cluster.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert cluster.image().endswith(":1.0")


async def test_people_see_in_helms_history_what_made_a_revision(driver: DurableDriver, cluster: Cluster) -> None:
    await done(driver, cluster.order("o1", "1.0"))
    assert cluster.record(1)["info"]["description"] == "Belay: shop 1.0 on site s1"


async def test_all_kinds_of_workloads_are_waited_for(driver: DurableDriver, cluster: Cluster) -> None:
    values = {"also": ["StatefulSet", "DaemonSet", "Job"], "replicas": 3}
    result = await done(driver, cluster.order("o1", values=values))
    assert "4 workloads are ready" in result.detail
    assert cluster.get("deployment", "web")["status"]["availableReplicas"] == 3
    assert cluster.get("statefulset", "data")["status"]["readyReplicas"] == 1
    assert cluster.get("daemonset", "agent")["status"]["numberAvailable"] == 1
    assert cluster.get("job", "migrate-1-0")["status"]["succeeded"] == 1


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_each_kind_that_is_not_ready_keeps_an_order_from_being_done(
    driver: DurableDriver, cluster: Cluster, kind: str
) -> None:
    await done(driver, cluster.order("o1"))
    values = {"also": [kind], "alsoImage": "registry.example/broken"}
    result = await broken(driver, cluster.order("o2", values=values, rollout={"seconds": 2}))
    assert (result.code, kind.lower() in result.message) == ("image_not_pulled", True)


async def test_a_failed_job_ends_the_order_at_once(driver: DurableDriver, cluster: Cluster) -> None:
    values = {"also": ["Job"], "alsoImage": "registry.example/crashing"}
    result = await broken(driver, cluster.order("o1", values=values, rollout={"seconds": 600}))
    assert result.code == "job_failed"
    assert "job/migrate-1-0" in result.message


async def test_a_rollback_too_is_done_only_when_its_workloads_are_ready(
    driver: DurableDriver, cluster: Cluster
) -> None:
    first = cluster.order("o1", rollout={"seconds": 2})
    revision = (await done(driver, first)).revision
    await done(driver, cluster.order("o2", "2.0"))
    cluster.create("resourcequota", {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    result = await broken(driver, sites.rollback("o3", first, revision))
    assert result.code == "quota_exceeded"


async def test_it_says_how_far_a_rollout_is(driver: DurableDriver, cluster: Cluster) -> None:
    order = cluster.order("o1", values={"image": "registry.example/unready", "replicas": 2})
    await driver.start([order])
    told = set()
    while "deployment/web: 0 of 2 new replicas are available" not in told:
        [progress] = await driver.poll([order])
        assert isinstance(progress, Running)
        told.add(progress.detail)
        await driver.wait(0.05)
    await driver.cancel([order])
    await finish(driver, order, begin=False)


async def test_workloads_that_must_be_there_and_are_not_leave_the_release_alone(
    driver: DurableDriver, cluster: Cluster
) -> None:
    await done(driver, cluster.order("o1"))
    rollout = {"workloads": ["deployment/web", "statefulset/data"]}
    result = await broken(driver, cluster.order("o2", "2.0", rollout=rollout))
    assert (result.code, "statefulset/data" in result.message) == ("missing_workload", True)
    assert cluster.history() == [(1, "deployed")]


async def test_values_of_files_are_below_those_of_the_spec(another: Make, cluster: Cluster) -> None:
    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(sites.CHART, target / "chart")
        (target / "values.yaml").write_text("replicas: 2\nimage: registry.example/of-the-file\n")

    driver = another(unpack=unpack)
    await done(driver, cluster.order("o1", values={"replicas": 3}, values_files=("values.yaml",)))
    assert cluster.get("deployment", "web")["spec"]["replicas"] == 3
    assert cluster.image() == "registry.example/of-the-file:1.0"


async def test_a_chart_may_be_packed(another: Make, kubernetes: Lab, tmp_path: Path, cluster: Cluster) -> None:
    packed = tmp_path / "packed"
    sites.helm(kubernetes, "package", str(sites.CHART), "--destination", str(packed))

    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(packed, target)

    driver = another(unpack=unpack)
    assert (await done(driver, cluster.order("o1", chart="web-0.1.0.tgz"))).revision == "1"


async def test_what_was_fetched_before_is_not_fetched_again(another: Make, cluster: Cluster) -> None:
    times = []

    async def unpack(sha256: str, target: Path) -> None:
        times.append(sha256)
        await sites.unpack(sha256, target)

    driver = another(unpack=unpack)
    await done(driver, sites.fetch("o1", cluster.order("o1")))
    assert len(times) == 1
    await done(driver, cluster.order("o2"))
    assert len(times) == 1


async def test_what_is_removed_is_gone_with_its_history(driver: DurableDriver, cluster: Cluster) -> None:
    first = cluster.order("o1")
    revision = (await done(driver, first)).revision
    await done(driver, sites.remove("o2", first))
    assert cluster.names("deployment") == []
    assert cluster.names("secret") == []
    assert await driver.has_revision([sites.rollback("o3", first, revision)]) == [False]


async def test_what_was_never_there_is_removed(driver: DurableDriver, cluster: Cluster) -> None:
    assert (await done(driver, sites.remove("o1", cluster.order("o1")))).revision == ""


async def test_a_revision_that_helm_has_pruned_is_gone(driver: DurableDriver, cluster: Cluster) -> None:
    first = cluster.order("o1", "1.0", history=2)
    revision = (await done(driver, first)).revision
    for number in (2, 3):
        await done(driver, cluster.order(f"o{number}", f"{number}.0", history=2))
    assert cluster.history() == [(2, "superseded"), (3, "deployed")]
    assert await driver.has_revision([sites.rollback("o4", first, revision)]) == [False]
    assert (await broken(driver, sites.rollback("o4", first, revision))).code == "revision_missing"


async def test_two_sites_of_one_cluster_are_kept_apart_by_their_prefixes(
    driver: DurableDriver, cluster: Cluster, kubernetes: Lab
) -> None:
    other = sites.order(kubernetes, "o2", "2.0", f"{kubernetes.namespace()}-", site="s2")
    found = await finish(driver, cluster.order("o1", "1.0"), other)
    assert [one.revision for one in found if isinstance(one, Done)] == ["1", "1"]
    assert cluster.image().endswith(":1.0")


async def test_what_ran_and_is_gone_has_fallen(another: Make, cluster: Cluster) -> None:
    order = cluster.order("o1")
    await done(another(), order)
    assert isinstance((await finish(another(), order, begin=False))[0], Done)
    cluster.delete("deployment", "web")
    [fallen] = await finish(another(), order, begin=False)
    assert isinstance(fallen, Broken)
    assert fallen.code == "fallen"


async def test_a_release_that_was_removed_by_hand_is_deployed_anew(driver: DurableDriver, cluster: Cluster) -> None:
    first = cluster.order("o1")
    revision = (await done(driver, first)).revision
    sites.helm(cluster.lab, "uninstall", "shop-web", "--namespace", cluster.namespace)
    assert await driver.has_revision([sites.rollback("o2", first, revision)]) == [False]
    assert (await done(driver, cluster.order("o3", "2.0"))).revision == "1"


async def test_a_release_whose_history_was_kept_by_hand_is_deployed_anew(
    driver: DurableDriver, cluster: Cluster
) -> None:
    await done(driver, cluster.order("o1"))
    sites.helm(cluster.lab, "uninstall", "shop-web", "--namespace", cluster.namespace, "--keep-history")
    await done(driver, cluster.order("o2", "2.0"))
    assert cluster.history()[-1][1] == "deployed"


async def test_a_job_that_keeps_its_name_is_deleted_before_an_upgrade_and_a_rollback(
    driver: DurableDriver, cluster: Cluster
) -> None:
    values, jobs = {"also": ["FixedJob"]}, [{"kind": "job", "labels": {"release_group": "web"}}]
    await done(driver, cluster.order("o1", "1.0", values, before_upgrade=jobs))
    assert (await broken(driver, cluster.order("o2", "2.0", values))).code == "immutable_field"
    await done(driver, cluster.order("o3", "2.0", values, before_upgrade=jobs))
    await done(driver, sites.rollback("o4", cluster.order("o1", "1.0", values, before_upgrade=jobs), "1"))
    [container] = cluster.get("job", "load")["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":1.0")
