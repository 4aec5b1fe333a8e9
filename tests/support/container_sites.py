"""Images and orders for tests of the driver `container`: a small program of busybox that behaves as it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from services.deployer.drivers import Broken, Component, Done, Driver, Item, Order, Progress, Running
from services.deployer.drivers.container.sending import Store
from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.container.tool import ContainerTool
from services.deployer.drivers.content import Pace
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.blobs import Blobs
from shared.components.container import ContainerSpec
from shared.process.settings import Settings
from tests.support.container_lab import BUSYBOX, Lab
from tests.support.patience import patience
from tests.support.workshop import Workshop

PROGRAM = """#!/bin/sh
echo "begins $SAYS"
[ -n "$EXIT" ] && { echo "cannot read its configuration" >&2; exit "$EXIT"; }
trap 'exit 0' TERM
[ -d /data ] && echo "$SAYS" >> /data/starts
sleep "${SLOW:-0}" & wait $!
mkdir -p /tmp/www && echo "$SAYS" > /tmp/www/version
httpd -p 8080 -h /tmp/www && touch /tmp/well
while :; do sleep 1 & wait $!; done
"""
DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox","--install","/bin"]
COPY program /program
RUN ["/bin/busybox","chmod","755","/program"]
LABEL version={version}
CMD ["/program"]
"""
WELL = ("test", "-e", "/tmp/well")  # noqa: S108 - in a container


def push(lab: Lab, version: str = "1.0") -> str:
    """The image of a version in the lab's registry, made once; its name with digest."""
    if version not in lab.digests:
        files = {"busybox": BUSYBOX, "program": PROGRAM}
        lab.digests[version] = lab.push(f"app:{version}", DOCKERFILE.format(version=version), files)
    return lab.digests[version]


def order(lab: Lab, key: str, version: str = "1.0", site: str = "s1", **spec: Any) -> Order:
    """Apply the program on a site of the lab. `spec` as in a bundle; variables are put beside ours."""
    environment = {"SAYS": version, **spec.pop("environment", {})}
    connection = {"url": lab.url, **spec.pop("connection", {})}
    health = {
        "command": WELL,
        "interval_seconds": 0.2,
        "stable_seconds": 0.3,
        "start_seconds": 30,
        **spec.pop("health", {}),
    }
    image = spec.pop("image", None) or push(lab, version)
    whole = {"image": image, "environment": environment, "health": health, "stop_seconds": 5, **spec}
    component = Component("web", "container", ContainerSpec.model_validate(whole))
    return Order(key, site, connection, f"shop-{lab.net}", "apply", component, version, "a" * 64)


def rollback(to: Order, key: str, revision: str) -> Order:
    """Back to what an order made."""
    return replace(to, key=key, action="rollback", revision=revision)


def removal(of: Order, key: str) -> Order:
    """Take away what an order made."""
    return replace(of, key=key, action="remove", version=None, bundle_sha256=None)


def driver_of(dsn: str, home: Path, site_bytes: int = 0, **settings: Any) -> DurableDriver:
    """A deployer's driver. What was prepared lies under its home; `site_bytes` is the pace of each site."""
    store = Store(Blobs.open(Settings(home=home)), Pace(site_bytes))
    return DurableDriver(dsn, ContainerTool(ContainerSettings(**settings), store, shared=SharedPulls(dsn)))


class ContainerWorkshop(Workshop):
    """Orders for the driver contract, on the lab's engine."""

    asks: ClassVar = ("container_lab", "deployer_database")

    def driver(self) -> Driver:
        driver = driver_of(self.given["deployer_database"], self.folder)
        self.drivers.append(driver)
        return driver

    async def content(self) -> tuple[Item, ...]:
        from tests.support.prepared_images import prepared

        lab: Lab = self.given["container_lab"]
        item = await prepared(lab, push(lab), self.folder)
        lab.podman("rmi", "--all", "--force")
        return (item,)

    def answers(self, site: str) -> str:
        lab: Lab = self.given["container_lab"]
        (running,) = (each for each, state in ids(lab, site).items() if state == "running")
        return lab.podman("exec", running, "cat", "/tmp/www/version").strip()  # noqa: S108 - in a container

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        return order(self.given["container_lab"], key, version, site)

    def failing(self, key: str, site: str = "s1") -> Order:
        return order(self.given["container_lab"], key, site=site, environment={"EXIT": "1"})

    def endless(self, key: str, site: str = "s1") -> Order:
        slow = {"start_seconds": 600}
        return order(self.given["container_lab"], key, site=site, environment={"SLOW": "600"}, health=slow)

    async def close(self) -> None:
        for driver in self.drivers:
            await driver.close()
        self.given["container_lab"].clear()


async def ends(driver: Driver, *orders: Order) -> list[Progress]:
    """How they end; a limit on the lack of it."""
    async with patience(90):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return list(found)
            await driver.wait(0.5)


async def reach(driver: Driver, *orders: Order) -> list[Progress]:
    """Start them, and how they end."""
    await driver.start(orders)
    return await ends(driver, *orders)


async def done(driver: Driver, order: Order) -> Done:
    """Start it; it must succeed."""
    (found,) = await reach(driver, order)
    assert isinstance(found, Done), found
    return found


async def broken(driver: Driver, order: Order) -> Broken:
    """Start it; it must fail."""
    (found,) = await reach(driver, order)
    assert isinstance(found, Broken), found
    return found


def ids(lab: Lab, site: str = "s1") -> dict[str, str]:
    """The containers of a site: state by id."""
    return {str(each["Id"]): str(each["State"]) for each in lab.containers(f"label=belay.site={site}")}


def replaced_by_hand(lab: Lab, container: str, image: str, *, labelled: bool = True) -> str:
    """Another image under its name, with its labels: as programs that look for newer images do. Its id."""
    shown = lab.inspect(container)
    labels = [f"--label={name}={value}" for name, value in shown["Config"]["Labels"].items()] if labelled else []
    lab.podman("rm", "--force", "--time=0", container)
    return lab.podman("run", "--detach", f"--name={shown['Name']}", *labels, image)
