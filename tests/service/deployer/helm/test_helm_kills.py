"""Deployers killed at any point of an order: the next finds out how far it came, and nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import pytest

from services.deployer.drivers import Broken, Done, Order, Progress, Running
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.helm.procedure import HOOKS_AGAIN
from tests.support.kubernetes import sites, victim
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import Make, done, finish
from tests.support.patience import patience

pytestmark = pytest.mark.kubernetes

SLOW = {"hooks": {"pre-upgrade": "registry.example/unready", "pre-rollback": "registry.example/unready"}}
"""Hooks that do not end by themselves: helm is in the midst of it, its revision pending."""

Kill = Callable[[Order, str], None]


@pytest.fixture
def killed_when(kubernetes: Lab, deployer_database: str, tmp_path: Path) -> Kill:
    """Have a deployer begin an order, and kill it once it says that."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def killed(order: Order, says: str) -> None:
        dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", order, temporary)
        assert dead.stdout
        for line in dead.stdout:
            if line.decode().startswith(says):
                break
        victim.kill(dead)
        assert list(temporary.iterdir()) == []

    return killed


async def no_helm_left(lab: Lab) -> None:
    async with patience(10):
        while victim.helms(lab):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("says", ["waits for its turn", "renders the chart", "helm sends it", "deployment/web"])
async def test_an_upgrade_is_finished_by_the_next_deployer(
    driver: DurableDriver, cluster: Cluster, killed_when: Kill, says: str
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"replicas": 3})
    killed_when(order, says)
    await no_helm_left(cluster.lab)
    assert isinstance((await finish(driver, order, begin=False))[0], Done)
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]
    assert cluster.image().endswith(":2.0")


async def pending(cluster: Cluster, revision: int) -> None:
    async with patience(30):
        while (revision, True) not in [(n, "pending" in status) for n, status in cluster.history()]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def finish_with_its_hook(driver: DurableDriver, order: Order, cluster: Cluster) -> Progress:
    """The hook's Job, which each helm makes anew, succeeds from now on."""
    await driver.start([order])
    async with patience(60):
        while isinstance(progress := (await driver.poll([order]))[0], Running):
            for name in cluster.names("pod"):
                if name.startswith("hook-"):
                    with suppress(httpx.HTTPStatusError):  # the old Job's, gone since
                        cluster.patch("pod", f"{name}/status", {"status": {"phase": "Succeeded"}})
            await driver.wait(0.1)
    return progress


async def test_what_a_killed_helm_left_pending_is_made_again_under_its_number(
    driver: DurableDriver, cluster: Cluster, killed_when: Kill, kubernetes: Lab, deployer_database: str, tmp_path: Path
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", SLOW)
    dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", order, tmp_path)
    await pending(cluster, 2)
    assert victim.helms(kubernetes)
    victim.kill(dead)
    await no_helm_left(kubernetes)
    assert cluster.history() == [(1, "deployed"), (2, "pending-upgrade")]
    found = await finish_with_its_hook(driver, order, cluster)
    assert isinstance(found, Done)
    assert found.detail.endswith(HOOKS_AGAIN)
    assert cluster.names("job") == ["hook-pre-upgrade"]  # made anew by its name: no second one beside it
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]


async def test_an_order_cancelled_after_its_deployer_died_leaves_nothing_pending(
    driver: DurableDriver, cluster: Cluster, kubernetes: Lab, deployer_database: str, tmp_path: Path
) -> None:
    first = cluster.order("o1", values=SLOW)
    await done(driver, first)
    order = cluster.order("o2", "2.0", SLOW)
    dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", order, tmp_path)
    await pending(cluster, 2)
    victim.kill(dead)
    await driver.cancel([order])
    found = (await finish(driver, order, begin=False))[0]
    assert isinstance(found, Broken)
    assert found.code == "cancelled"
    assert cluster.history() == [(1, "deployed"), (2, "failed")]


async def test_an_order_cancelled_while_helm_is_at_it_leaves_nothing_pending(
    driver: DurableDriver, cluster: Cluster
) -> None:
    first = cluster.order("o1", values=SLOW)
    await done(driver, first)
    order = cluster.order("o2", "2.0", SLOW)
    await driver.start([order])
    await pending(cluster, 2)
    await driver.cancel([order])
    found = (await finish(driver, order, begin=False))[0]
    assert isinstance(found, Broken)
    assert found.code == "cancelled"
    assert cluster.history() == [(1, "deployed"), (2, "failed")]
    await no_helm_left(cluster.lab)
    back = sites.rollback("o3", first, "1")
    await driver.start([back])
    await pending(cluster, 3)
    await driver.cancel([back])
    await finish(driver, back, begin=False)
    assert [status for _, status in cluster.history()] == ["deployed", "failed", "failed"]


async def test_a_killed_rollback_is_finished_once(
    driver: DurableDriver, cluster: Cluster, kubernetes: Lab, deployer_database: str, tmp_path: Path
) -> None:
    first = cluster.order("o1", values=SLOW)
    await done(driver, first)
    await done(driver, cluster.order("o2", "2.0"))
    back = sites.rollback("o3", first, "1")
    dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", back, tmp_path)
    await pending(cluster, 3)
    victim.kill(dead)
    await no_helm_left(kubernetes)
    found = await finish_with_its_hook(driver, back, cluster)
    assert isinstance(found, Done)
    assert found.revision == "3"
    assert cluster.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]


async def test_a_killed_removal_is_finished(driver: DurableDriver, cluster: Cluster, killed_when: Kill) -> None:
    order = cluster.order("o1")
    await done(driver, order)
    gone = sites.remove("o2", order)
    killed_when(gone, "helm uninstalls it")
    assert isinstance((await finish(driver, gone, begin=False))[0], Done)
    assert cluster.names("deployment") == cluster.names("secret") == []


async def test_what_somebody_elses_helm_left_pending_is_repaired_when_it_is_old(
    another: Make, driver: DurableDriver, cluster: Cluster
) -> None:
    first = cluster.order("o1")
    await done(driver, first)
    by_hand = ("upgrade", "shop-web", str(sites.CHART), "--namespace", cluster.namespace, "--set", "version=hand")
    sites.helm(cluster.lab, *by_hand)
    cluster.set_status(1, "deployed")
    cluster.set_status(2, "pending-upgrade")
    waiting = cluster.order("o2", "2.0")
    await driver.start([waiting])
    async with patience(60):
        while not (await driver.poll([waiting]))[0].detail.startswith("waits for another helm"):  # type: ignore[union-attr]
            await driver.wait(0.05)
    await driver.cancel([waiting])
    await finish(driver, waiting, begin=False)
    hasty = another(pending_seconds=0.1)
    await done(hasty, cluster.order("o3", "3.0"))
    assert cluster.history() == [(1, "superseded"), (2, "failed"), (3, "deployed")]


@pytest.mark.parametrize("status", ["pending-install", "pending-rollback", "uninstalling"])
async def test_whatever_state_a_dead_helm_left_the_next_order_goes_through(
    another: Make, cluster: Cluster, status: str
) -> None:
    driver = another(pending_seconds=0.1)
    await done(driver, cluster.order("o1"))
    cluster.set_status(1, status)
    await done(driver, cluster.order("o2", "2.0"))
    assert cluster.history()[-1][1] == "deployed"


async def test_ten_orders_whose_deployers_are_killed_at_random_make_a_revision_each(
    kubernetes: Lab, deployer_database: str, tmp_path: Path, driver: DurableDriver, cluster: Cluster
) -> None:
    chance = random.Random(12)  # noqa: S311 - the same moments each time, as far as the machine allows
    first = cluster.order("o1", history=100)
    await done(driver, first)
    for number in range(2, 12):
        order = cluster.order(f"o{number}", f"{number}.0", history=100)
        order = sites.rollback(order.key, first, "1") if number % 3 == 0 else order
        for _ in range(chance.randint(1, 3)):
            dead = victim.begin(kubernetes, deployer_database, tmp_path / "victim", order, tmp_path)
            assert dead.stdout
            dead.stdout.readline()  # it has begun
            await asyncio.sleep(chance.random() * 1.5)
            victim.kill(dead)
        assert isinstance((await finish(driver, order))[0], Done)
    history = cluster.history()
    assert [number for number, _ in history] == list(range(1, 12))
    assert [status for _, status in history] == ["superseded"] * 10 + ["deployed"]
    await no_helm_left(kubernetes)
