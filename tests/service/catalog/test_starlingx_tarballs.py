"""Application tarballs of StarlingX become releases; apps that need each other do not, whoever comes first."""

from __future__ import annotations

import json

import pytest

from services.catalog.app import wire
from shared.messages.catalog import PublicationSettled, ReleaseAvailable, ReleaseRejected
from tests.service.catalog.shelf import publication
from tests.support.bundles import bundle
from tests.support.starlingx import armada, flux, summed, tarball
from tests.support.world import World

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def _without_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", "no-helm-here")


async def test_a_tarball_becomes_a_release_as_it_is(world: World) -> None:
    content = tarball(summed(flux()))
    async with world.run("catalog", wire):
        command = await publication(world, content, "lamp-1.0-1.tgz")
        await world.ask(command)
        release = await world.until(ReleaseAvailable)
        assert (release.app, release.version, release.bundle_sha256) == ("lamp", "1.0-1", command.bundle_sha256)
        assert [(c.driver, c.name, c.after) for c in release.components] == [
            ("helm", "bulb", ()),
            ("helm", "socket", ("bulb",)),
        ]
        assert release.rules.site.facts == {"kubernetes": ">=1.24.4"}
        assert any("helm_repo" in notice for notice in release.notices)


async def test_one_without_a_name_gets_that_of_its_request(world: World) -> None:
    async with world.run("catalog", wire):
        command = await publication(world, tarball(armada()), "lamp.tgz")
        await world.ask(command.model_copy(update={"app": "lamp", "version": "1.0-19-centos"}))
        assert (await world.until(PublicationSettled)).state == "available"
        assert (await world.until(ReleaseAvailable)).version == "1.0-19-centos"


def needs(app: str, other: str) -> bytes:
    manifest = {"app": app, "version": "1.0", "components": [{"driver": "simulated", "name": "x", "spec": {}}]}
    return bundle({"bundle.yaml": json.dumps({**manifest, "depends_on": [{"app": other}]}).encode()})


async def test_of_two_that_need_each_other_one_is_refused_though_they_come_together(world: World) -> None:
    async with world.run("catalog", wire), world.run("catalog", wire):
        for app, other in (("lamp", "socket"), ("socket", "lamp")):
            await world.send(await publication(world, needs(app, other)))
        available, rejected = await world.until(ReleaseAvailable), await world.until(ReleaseRejected)
        [fault] = rejected.faults
        assert (fault.code, fault.value) == ("dependency_cycle", [rejected.app, available.app, rejected.app])
        assert len(world.events(ReleaseAvailable)) == 1
