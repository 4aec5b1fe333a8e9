"""Sites in a cluster for the helm driver, orders for them, and what Helm and the cluster themselves say of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.deployer.drivers import Broken, Component, Done, Driver, Order, Progress, Running
from services.deployer.drivers.bundles import Unpack
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.helm.tool import HelmTool
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.components.helm import HelmSpec
from tests.support.kubernetes.lab import Lab
from tests.support.patience import patience
from tests.support.workshop import Workshop

Make = Callable[..., DurableDriver]
"""Makes a driver with other settings or bundles than usual."""

CHART = Path(__file__).parent / "chart"
BUNDLE = "c" * 64


async def unpack(_: str, target: Path) -> None:
    """The test's chart, as a bundle that holds it in the folder `chart`."""
    shutil.copytree(CHART, target / "chart")


def component(values: dict[str, Any] | None = None, version_check: Any = None, **spec: Any) -> Component:
    spec = {"chart": "chart", "namespace": "shop", "rollout": {"seconds": 60}, "version": version_check, **spec}
    return Component("web", "helm", HelmSpec(**spec, values=values or {}))


def connection(lab: Lab, prefix: str) -> dict[str, Any]:
    return {"kubeconfig": SecretStr(lab.kubeconfig), "namespace_prefix": prefix}


def order(
    lab: Lab, key: str, version: str, prefix: str, values: dict[str, Any] | None = None, site: str = "s1", **spec: Any
) -> Order:
    """An apply of the test's chart as `version`."""
    made = component({"version": version, **(values or {})}, **spec)
    return Order(key, site, connection(lab, prefix), "shop", "apply", made, version, BUNDLE)


def rollback(key: str, to: Order, revision: str) -> Order:
    return replace(to, key=key, action="rollback", revision=revision)


def remove(key: str, of: Order) -> Order:
    return replace(of, key=key, action="remove", version=None, bundle_sha256=None)


def fetch(key: str, of: Order) -> Order:
    return replace(of, key=key, action="fetch")


def driver(lab: Lab, dsn: str, folder: Path, unpack: Unpack = unpack, **settings: Any) -> DurableDriver:
    """A deployer's driver; several may share database and folder."""
    made = HelmSettings(**{"binary": str(lab.helm), **settings})
    return DurableDriver(dsn, HelmTool(made, folder, unpack, SharedPulls(dsn)))


async def finish(driver: Driver, *orders: Order, begin: bool = True) -> Sequence[Progress]:
    """Start the orders and wait for the end of all."""
    if begin:
        await driver.start(orders)
    async with patience(120):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return found
            await driver.wait(1)


async def reach(driver: Driver, one: Order) -> Progress:
    return (await finish(driver, one))[0]


async def done(driver: Driver, one: Order) -> Done:
    """The order must succeed."""
    result = await reach(driver, one)
    assert isinstance(result, Done), result
    return result


async def broken(driver: Driver, one: Order) -> Broken:
    """The order must fail."""
    result = await reach(driver, one)
    assert isinstance(result, Broken), result
    return result


def helm(lab: Lab, *words: str) -> Any:
    """What Helm itself says, read as JSON where it says that."""
    said = helm_alone(lab.helm, lab.root, *words, KUBECONFIG=str(lab.root / "state/kubeconfig"))
    return json.loads(said) if said.startswith(("[", "{")) else said


def helm_alone(helm: Path, home: Path, *words: str, **environment: str) -> str:
    """The same without a cluster."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}
    done = subprocess.run([helm, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + ("" if done.stdout.startswith(("[", "{")) else done.stderr)


def history(lab: Lab, namespace: str, release: str = "shop-web") -> list[tuple[int, str]]:
    """Number and status of each revision, as Helm's own history has them."""
    found = helm(lab, "history", release, "--namespace", namespace, "--output", "json", "--max", "1000")
    return [(each["revision"], each["status"]) for each in found]


class HelmWorkshop(Workshop):
    """The driver contract's: a namespace for each site."""

    asks = ("kubernetes", "deployer_database")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.drivers: list[DurableDriver] = []
        self.prefixes: dict[str, str] = {}

    @property
    def lab(self) -> Lab:
        lab: Lab = self.given["kubernetes"]
        return lab

    def driver(self) -> Driver:
        made = driver(self.lab, self.given["deployer_database"], self.folder / "helm")
        self.drivers.append(made)
        return made

    def answers(self, site: str) -> str:
        """By the API server, and not by what Helm remembers."""
        from tests.support.kubernetes.cluster import Cluster  # which makes its orders by this module

        with Cluster.of(self.lab) as cluster:
            deployed = replace(cluster, prefix=self.prefixes[site]).get("deployment", "web")
        (container,) = deployed["spec"]["template"]["spec"]["containers"]
        return str(container["image"].rpartition(":")[2])

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        prefix = self.prefixes.setdefault(site, f"{self.lab.namespace()}-")
        return order(self.lab, key, version, prefix, site=site)

    def failing(self, key: str, site: str = "s1") -> Order:
        good = self.good(key, site=site)
        broken = component({"image": "registry.example/broken"}, rollout={"seconds": 2})
        return replace(good, component=broken)

    def endless(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), component=component({"image": "registry.example/unready"}))

    async def close(self) -> None:
        for each in self.drivers:
            await each.close()
