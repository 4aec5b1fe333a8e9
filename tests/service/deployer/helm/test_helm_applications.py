"""An application of StarlingX from its tarballs to a cluster, by catalog and deployer: what has not changed is kept."""

from __future__ import annotations

import asyncio

import pytest

from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import OperationSucceeded, RequestOperation
from shared.messages.strategy import Site, SitesChanged
from tests.service.catalog.shelf import publication
from tests.service.deployer.test_secrets import put
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.replica import replica
from tests.support.starlingx import Files, flux, packed, summed, tarball
from tests.support.world import World

pytestmark = [pytest.mark.kubernetes, pytest.mark.service]

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
    identifier = f"{kind}-{version}"
    command = RequestOperation.model_validate({"site": "oslo", "app": "lamp", "kind": kind, "version": version})
    while (answer := await world.ask(command, message_id=identifier)).__class__.__name__ == "CommandRejected":
        # The deployer hears of site and release on other topics, and asks the cluster what it is.
        assert answer.code in ("unknown_site", "unknown_app", "unknown_release", "unknown_secret", "platform_unfit"), (
            answer
        )
        identifier += "+"
        await asyncio.sleep(0.1)
    return await world.until(OperationSucceeded, lambda e: e.operation_id == identifier)


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
    binary = {"helm_binary": kubernetes.helm}
    async with replica(world, "catalog", **binary), replica(world, "deployer", **binary):
        at = {"kubeconfig": {"secret": "oslo"}, "namespace_prefix": cluster.prefix}
        await world.send(SitesChanged(sites=(Site(name="oslo", connections={"helm": at}),)), sequence=1)
        await put(world, "oslo", kubernetes.kubeconfig)
        for version, charts in releases.items():
            await world.send(await publication(world, application(version, charts), f"lamp-{version}.tgz"))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)
        assert ways(await done(world, "apply", "1.0-1")) == {"bulb": "apply", "socket": "apply"}
        updated = await done(world, "update", "1.0-2")
        assert ways(updated) == {"bulb": "keep", "socket": "apply", "more": "apply"}
        assert cluster.history("stx-bulb") == [(1, "deployed")]
        back = await done(world, "rollback", None)
        assert ways(back) == {"bulb": "keep", "socket": "rollback", "more": "remove"}
        assert cluster.history("stx-socket") == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
