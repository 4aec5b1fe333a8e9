"""Application tarballs of StarlingX on a real cluster, chart by chart, as the deployer gets them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.deployer.drivers import Component, Done, Order
from shared import bundle, components
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.sites import CHART, Make, finish
from tests.support.starlingx import Files, armada, flux, packed, summed, tarball

pytestmark = pytest.mark.kubernetes

PACKED = {f"web/{path.relative_to(CHART)}": path.read_bytes() for path in CHART.rglob("*") if path.is_file()}


def in_the_cluster(files: Files) -> Files:
    """The same with charts that run there, in the namespace of the test."""
    moved = {
        name: text.replace(b"namespace: lamp", b"namespace: shop")
        for name, text in files.items()
        if name.endswith(".yaml")
    }
    return summed({**moved, **{name: packed(PACKED) for name in files if name.startswith("charts/")}})


@pytest.mark.parametrize(
    "files", [armada({"first": (True, ("bulb",))}), flux(charts={"bulb": ""})], ids=["2019", "today"]
)
async def test_a_tarball_is_deployed_with_its_values_by_the_release_it_names(
    another: Make, cluster: Cluster, tmp_path: Path, files: Files
) -> None:
    path = tmp_path / "lamp.tgz"
    path.write_bytes(tarball(in_the_cluster(files)))

    async def unpack(_: str, target: Path) -> None:
        await asyncio.to_thread(bundle.unpack, path, target)

    [bulb] = bundle.verify(path, app="lamp", version="1.0-1").components
    component = Component(bulb.name, bulb.driver, components.read(bulb.driver, bulb.spec), bulb.after)
    at = sites.connection(cluster.lab, cluster.prefix)
    [ended] = await finish(another(unpack=unpack), Order("o1", "s1", at, "lamp", "apply", component, "1.0-1", "d" * 64))
    assert isinstance(ended, Done), ended
    assert cluster.history("stx-bulb") == [(1, "deployed")]
    assert cluster.get("deployment", "web")["spec"]["replicas"] == 2
