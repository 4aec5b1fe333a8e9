"""Real hosts and engines on their way to a release: prepared by the catalog, sent by the deployer, deployed from there.

When they are updated nothing can be fetched any more: the blob store is empty, and no registry answers.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.catalog.app import wire as catalog
from services.deployer.app import wire as deployer
from shared.messages.catalog import ReleaseAvailable, ReleasePrepared
from shared.messages.deployer import OperationSucceeded
from tests.service.catalog.shelf import publication
from tests.service.deployer.fleet import APP, Fleet
from tests.support.ansible_sites import FILES
from tests.support.bundles import bundle
from tests.support.container_lab import Lab
from tests.support.prepared_images import layered
from tests.support.sshd_lab import SshdLab
from tests.support.world import World

pytestmark = pytest.mark.service
MIB = 1 << 20
USES = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Take the content that lies here
      copy: {src: "{{ belay_content['files/shop.bin'] }}", dest: "{{ root }}/release", remote_src: true}
"""


def released(version: str, driver: str, spec: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    component = {"driver": driver, "name": "web", "spec": spec}
    manifest = {"app": APP, "version": version, "components": [component]}
    return bundle({"bundle.yaml": json.dumps(manifest).encode(), **files})


@asynccontextmanager
async def company(
    world: World, connections: dict[str, dict[str, Any]], *bundles: tuple[str, bytes]
) -> AsyncIterator[Fleet]:
    """Catalog and deployer as they are, one site, and these releases."""
    fleet = Fleet(world)
    await fleet.tell_site("oslo", connections)
    async with world.run("catalog", catalog), world.run("deployer", deployer) as service:
        fleet.service = service
        for version, content in bundles:
            await world.send(await publication(world, content))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)  # type: ignore[misc]
            fleet.released += 1
        await fleet.known(service)
        yield fleet


async def prestaged(fleet: Fleet, version: str) -> int:
    """Prestage a release; the bytes that were sent for it, which are those of all that was prepared."""
    staged = await fleet.do("oslo", "prestage", version)
    assert isinstance(staged, OperationSucceeded), staged
    prepared = await fleet.world.until(ReleasePrepared, lambda r: r.version == version)
    assert staged.fetched_bytes == sum({item.sha256: item.bytes for item in prepared.content}.values())
    again = await fleet.do("oslo", "prestage", version)
    assert isinstance(again, OperationSucceeded), again
    assert again.fetched_bytes == 0
    return staged.fetched_bytes


async def updated_from_nothing(fleet: Fleet, version: str) -> None:
    """Update the site; nothing can be had from anywhere."""
    shutil.rmtree(fleet.world.home / "blobs")
    warm = await fleet.do("oslo", "update", version)
    assert isinstance(warm, OperationSucceeded), warm
    assert (warm.version, warm.fetched_bytes) == (version, 0)
    assert all("prestaged 20" in way.reason for way in warm.plan)


@pytest.mark.ssh
async def test_a_host_is_updated_from_what_lies_there(world: World, sshd_lab: SshdLab) -> None:
    host, random_bytes = sshd_lab.host(), random.Random("shop").randbytes  # noqa: S311
    contents = {version: random_bytes(3 * MIB) for version in ("1.0", "2.0")}
    spec = {"playbooks": {"apply": "apply.yml", "remove": "remove.yml"}, "files": ["files"]}
    books = {name: text.encode() for name, text in {**FILES, "apply.yml": USES}.items()}
    bundles = [
        (version, released(version, "ansible", spec, {**books, "files/shop.bin": content}))
        for version, content in contents.items()
    ]
    connection = sshd_lab.connection(host)
    plain = {**connection, "key": connection["key"].get_secret_value()}
    async with company(world, {"ansible": plain}, *bundles) as fleet:
        cold = await fleet.do("oslo", "apply", "1.0")
        assert isinstance(cold, OperationSucceeded), cold
        assert cold.fetched_bytes == 3 * MIB
        assert await prestaged(fleet, "2.0") == 3 * MIB
        assert (host.root / "release").read_bytes() == contents["1.0"]
        await updated_from_nothing(fleet, "2.0")
        assert (host.root / "release").read_bytes() == contents["2.0"]


@pytest.mark.containers
async def test_an_engine_is_updated_from_what_lies_there(world: World, container_lab: Lab) -> None:
    health = {"command": ["test", "-e", "/tmp/well"], "interval_seconds": 0.2, "stable_seconds": 0.3}  # noqa: S108
    images = {version: layered(container_lab, f"staged:{version}", 2 * MIB) for version in ("1.0", "2.0")}
    container_lab.podman("rmi", "--all", "--force")
    bundles = [
        (version, released(version, "container", {"image": image, "health": health}, {}))
        for version, image in images.items()
    ]
    try:
        async with company(world, {"container": {"url": container_lab.url}}, *bundles) as fleet:
            assert isinstance(await fleet.do("oslo", "apply", "1.0"), OperationSucceeded)
            assert await prestaged(fleet, "2.0") > 2 * MIB
            container_lab.stop_registry()
            try:
                await updated_from_nothing(fleet, "2.0")
            finally:
                container_lab.start_registry()
            (runs,) = container_lab.containers(f"label=belay.app={APP}")
            assert images["2.0"].rpartition("@")[2] in str(runs)
    finally:
        container_lab.clear()
