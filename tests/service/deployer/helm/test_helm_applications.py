"""An application of StarlingX from its tarballs to a cluster, by catalog and deployer: what has not changed is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import OperationFailed, OperationSucceeded, RequestOperation
from shared.messages.strategy import Site, SitesChanged
from tests.service.catalog.shelf import publication
from tests.service.deployer.test_secrets import put
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.replica import replica
from tests.support.starlingx import Files, flux, packed, summed, tarball
from tests.support.world import World

pytestmark = [pytest.mark.kubernetes, pytest.mark.service]

DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: light}
spec:
  selector: {matchLabels: {app: light}}
  template:
    metadata: {labels: {app: light}}
    spec: {containers: [{name: app, image: "registry.example/missing:2"}]}
"""
SERVICE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {replicas: "{{ .Values.replicas }}"}
"""


def small(name: str, more: str = "") -> bytes:
    """A chart that is up at once."""
    files = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n", "values.yaml": "replicas: 1\n"}
    files["templates/map.yaml"] = SERVICE.replace("NAME", name) + more
    return packed({f"{name}/{path}": text.encode() for path, text in files.items()})


def application(version: str, charts: dict[str, bytes]) -> bytes:
    files: Files = flux(version=version, charts=dict.fromkeys(charts, ""))
    files = {name: text.replace(b"lamp\n", b"shop\n") for name, text in files.items() if name.endswith(".yaml")}
    files["metadata.yaml"] = files["metadata.yaml"].replace(b"app_name: shop", b"app_name: lamp")
    return tarball(summed({**files, **{f"charts/{name}-1.0.0.tgz": chart for name, chart in charts.items()}}))


async def done(world: World, kind: str, version: str | None) -> OperationSucceeded:
    identifier = await asked(world, kind, version)
    return await world.until(OperationSucceeded, lambda e: e.operation_id == identifier)


async def asked(world: World, kind: str, version: str | None) -> str:
    """Ask until it is accepted; the operation's id."""
    identifier = f"{kind}-{version}"
    command = RequestOperation.model_validate({"site": "oslo", "app": "lamp", "kind": kind, "version": version})
    while (answer := await world.ask(command, message_id=identifier)).__class__.__name__ == "CommandRejected":
        # The deployer hears of site and release on other topics, and asks the cluster what it is.
        assert answer.code in ("unknown_site", "unknown_app", "unknown_release", "unknown_secret", "platform_unfit"), (
            answer
        )
        identifier += "+"
        await asyncio.sleep(0.1)
    return identifier


@asynccontextmanager
async def published(
    world: World, kubernetes: Lab, cluster: Cluster, releases: Mapping[str, dict[str, bytes]]
) -> AsyncIterator[None]:
    """Catalog and deployer, which know of the releases and of a site."""
    binary = {"helm_binary": kubernetes.helm}
    async with replica(world, "catalog", **binary), replica(world, "deployer", **binary):
        at = {"kubeconfig": {"secret": "oslo"}, "namespace_prefix": cluster.prefix}
        await world.send(SitesChanged(sites=(Site(name="oslo", connections={"helm": at}),)), sequence=1)
        await put(world, "oslo", kubernetes.kubeconfig)
        for version, charts in releases.items():
            await world.send(await publication(world, application(version, charts), f"lamp-{version}.tgz"))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)
        yield


def ways(ended: OperationSucceeded) -> dict[str, str]:
    return {way.component: way.action for way in ended.plan}


async def test_charts_that_did_not_change_are_kept_and_others_applied_and_rolled_back(
    world: World, kubernetes: Lab, cluster: Cluster
) -> None:
    bulb, socket, other = small("bulb"), small("socket"), small("socket", "  # another\n")
    releases = {
        "1.0-1": {"bulb": bulb, "socket": socket},
        "1.0-2": {"bulb": bulb, "socket": other, "more": small("more")},
    }
    async with published(world, kubernetes, cluster, releases):
        assert ways(await done(world, "apply", "1.0-1")) == {"bulb": "apply", "socket": "apply"}
        updated = await done(world, "update", "1.0-2")
        assert ways(updated) == {"bulb": "keep", "socket": "apply", "more": "apply"}
        assert cluster.history("stx-bulb") == [(1, "deployed")]
        back = await done(world, "rollback", None)
        assert ways(back) == {"bulb": "keep", "socket": "rollback", "more": "remove"}
        assert cluster.history("stx-socket") == [(1, "superseded"), (2, "superseded"), (3, "deployed")]


async def test_an_update_whose_image_no_node_can_pull_ends_before_it_begins(
    world: World, kubernetes: Lab, cluster: Cluster
) -> None:
    releases = {
        "1.0-1": {"bulb": small("bulb"), "socket": small("socket")},
        "1.0-2": {"bulb": small("bulb", DEPLOYMENT), "socket": small("socket", "  # another\n")},
    }
    async with published(world, kubernetes, cluster, releases):
        await done(world, "apply", "1.0-1")
        identifier = await asked(world, "update", "1.0-2")
        failed = await world.until(OperationFailed, lambda e: e.operation_id == identifier)
    assert (failed.cause.code, "registry.example/missing:2" in failed.cause.message) == ("image_not_pulled", True)
    assert {phase.name for phase in failed.phases} == {"precheck", "fetch"}
    assert [cluster.history(f"stx-{name}") for name in ("bulb", "socket")] == [[(1, "deployed")]] * 2
    assert cluster.names("pod") == []
