"""What is secret of a connection, searched for while an order runs and afterwards, wherever a host keeps things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import sites, victim
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import Make, finish
from tests.support.patience import until_so

pytestmark = pytest.mark.kubernetes


def files_with(secret: str, *folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and secret.encode() in path.read_bytes():
                yield path


def processes_with(secret: str) -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        try:
            told = [*(process.info["cmdline"] or ()), *process.environ().values()]
        except psutil.Error:
            continue
        if any(secret in word for word in told):
            yield process.name()


async def test_no_secret_lies_in_files_arguments_or_variables_while_helm_runs(
    another: Make, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    token = cluster.lab.config["users"][0]["user"]["token"]
    driver: DurableDriver = another()
    order = cluster.order(
        "o1", values={"hooks": {"pre-install": "registry.example/unready"}, "password": "of-the-values"}
    )
    await driver.start([order])

    async def helm_runs() -> bool:
        return cluster.names("job") == ["hook-pre-install"]

    await until_so(helm_runs)
    assert victim.helms(cluster.lab)
    for secret in (token, "of-the-values"):
        assert list(processes_with(secret)) == []
        assert list(files_with(secret, tmp_path)) == []
    assert list(temporary.iterdir()) == []
    await driver.cancel([order])
    await finish(driver, order, begin=False)


async def test_many_orders_share_a_few_helms(another: Make, kubernetes: Lab) -> None:
    driver: DurableDriver = another(processes=2)
    hooks = {"hooks": {"pre-install": "registry.example/unready"}}
    orders = [
        sites.order(kubernetes, f"o{n}", "1.0", f"{kubernetes.namespace()}-", hooks, site=f"s{n}") for n in range(8)
    ]
    await driver.start(orders)
    await until_so(lambda: helms_of(kubernetes, 2))
    for _ in range(20):
        assert len(victim.helms(kubernetes)) <= 2
        await driver.wait(0.1)
    await driver.cancel(orders)
    await finish(driver, *orders, begin=False)
    assert victim.helms(kubernetes) == []


async def helms_of(lab: Lab, number: int) -> bool:
    return len(victim.helms(lab)) == number


async def test_a_charts_templates_see_nothing_of_the_deployers_surroundings(
    another: Make, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm gets an environment of its own: what it is given by name, and nothing else."""
    monkeypatch.setenv("BELAY_POSTGRES", "postgresql://deployer:of-the-deployer@db/belay")
    driver: DurableDriver = another()
    order = cluster.order("o1", values={"hooks": {"pre-install": "registry.example/unready"}})
    await driver.start([order])

    async def helm_runs() -> bool:
        return bool(victim.helms(cluster.lab))

    await until_so(helm_runs)
    seen = [value for each in victim.helms(cluster.lab) for value in each.environ().values()]
    assert not [value for value in seen if "of-the-deployer" in value]
    await driver.cancel([order])
    await finish(driver, order, begin=False)
