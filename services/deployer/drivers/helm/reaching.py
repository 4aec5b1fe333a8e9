"""Whether a cluster answers: its API server's version, and the platform of its nodes where we may ask for them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.deployer.drivers import REACH_SECONDS, Broken, Reachable, Reached
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.cluster import METADATA_ONLY, Cluster
from services.deployer.drivers.helm.connection import access_of

NODES_ASKED = 20
"""Of a large cluster only the first: what is asked every minute must be small."""


async def reached(site: Reachable) -> Reached | Broken:
    """What one cluster says. Its images lie on its nodes, whose disks nobody asks: no room is told."""
    try:
        async with asyncio.timeout(REACH_SECONDS), Cluster.at(access_of(site.connection), 0, _untold) as cluster:
            version = await cluster.get("/version") or {}
            return Reached(facts={**_of_server(version), **await _of_nodes(cluster)})
    except TimeoutError:
        return Broken("timeout", f"the API server did not answer within {REACH_SECONDS:g} s")
    except Failed as failed:
        return failed.broken


def _untold(_: str) -> None:
    """Nobody waits for a word of it."""


def _of_server(version: Mapping[str, Any]) -> dict[str, str]:
    return {"kubernetes": str(version["gitVersion"])} if version.get("gitVersion") else {}


async def _of_nodes(cluster: Cluster) -> dict[str, str]:
    """Who may only use namespaces is refused, and its cluster answers all the same."""
    try:
        headers = {"Accept": METADATA_ONLY}
        nodes = await cluster.ask("GET", "/api/v1/nodes", {"limit": str(NODES_ASKED)}, headers) or {}
    except Failed as failed:
        if failed.broken.code == "forbidden":
            return {}
        raise
    return platforms([dict(node.get("metadata", {}).get("labels") or {}) for node in nodes.get("items") or ()])


def platforms(labels: list[dict[str, str]]) -> dict[str, str]:
    """`platform` where all nodes have one; else `platforms`. Pure."""
    found = sorted({f"{each.get(OS)}/{each.get(ARCH)}" for each in labels if each.get(OS) and each.get(ARCH)})
    if not found:
        return {}
    return {"platform": found[0]} if len(found) == 1 else {"platforms": ", ".join(found)}


OS, ARCH = "kubernetes.io/os", "kubernetes.io/arch"
