"""A release's way to a site before it is needed: published, prepared by the catalog, sent by the deployer, deployed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.catalog.app import wire as catalog
from services.deployer.app import wire as deployer
from services.strategy_orchestrator.app import wire as orchestrator
from shared.messages.base import CommandAccepted
from shared.messages.catalog import PrepareRelease, ReleaseAvailable, ReleasePrepared
from shared.messages.deployer import OperationsSucceeded, OperationSucceeded
from shared.messages.strategy import (
    ApplyStrategy,
    CreateStrategy,
    RegisterSites,
    Site,
    StrategySpec,
    StrategyStateChanged,
)
from tests.service.catalog.shelf import publication
from tests.service.deployer.fleet import APP, Fleet
from tests.service.gateway.api import gateway
from tests.support import process_sites
from tests.support.bundles import bundle
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
MIB = 1 << 20


def release(folder: Path, version: str) -> bytes:
    """A process from a wheel that reads its bundle, and a device that pretends to bring packages and an image."""
    wheel = process_sites.write_wheel(folder)
    pin = hashlib.sha256(wheel.read_bytes()).hexdigest()
    command = ["answering", "port={port}", "data={data}", f"says={version}", "reads={release}/motd.txt"]
    health = {"version_path": "/version.json", "version_pointer": "/app/version", "stable_seconds": 0.1}
    process = {"requirements": "requirements.txt", "command": command, "health": health}
    device = {"packages_bytes": 5 * MIB, "images_bytes": 3 * MIB, "seed": int(version[0])}
    parts = [
        {"driver": "process", "name": "web", "spec": process},
        {"driver": "simulated", "name": "lamp", "spec": device},
    ]
    files = {
        "bundle.yaml": json.dumps({"app": APP, "version": version, "components": parts}).encode(),
        "requirements.txt": f"answering==1.0 --hash=sha256:{pin}\n".encode(),
        f"wheels/{wheel.name}": wheel.read_bytes(),
        "motd.txt": f"this is {version}".encode(),
    }
    return bundle(files)


@asynccontextmanager
async def company(world: World, *versions: str) -> AsyncIterator[Fleet]:
    """Catalog and deployer as they are, a site of two drivers, and these releases."""
    fleet = Fleet(world)
    connections = {"process": {"host": "host-a", "port": process_sites.free_port()}, "simulated": {}}
    await fleet.tell_site("oslo", connections)
    async with world.run("catalog", catalog), world.run("deployer", deployer) as service:
        fleet.service = service
        for version in versions:
            await world.send(await publication(world, release(world.home / "wheels", version)))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)  # type: ignore[misc]
            fleet.released += 1
        await fleet.known(service)
        try:
            yield fleet
        finally:
            await process_sites.end_all(world.home)


async def test_a_prestaged_site_is_updated_when_nothing_can_be_fetched_any_more(world: World) -> None:
    async with company(world, "1.0", "2.0") as fleet:
        cold = await fleet.do("oslo", "apply", "1.0")
        assert isinstance(cold, OperationSucceeded), cold
        assert cold.fetched_bytes > 8 * MIB
        staged = await fleet.do("oslo", "prestage", "2.0")
        assert isinstance(staged, OperationSucceeded), staged
        assert (staged.version, staged.status) == ("1.0", "operational")
        assert [(way.action, way.component) for way in staged.plan] == [
            ("fetch_packages", "web"),
            ("fetch_packages", "lamp"),
            ("fetch_images", "lamp"),
        ]
        prepared = await world.until(ReleasePrepared)
        assert staged.fetched_bytes == sum({i.sha256: i.bytes for i in prepared.content}.values())
        assert {item.name for item in prepared.content if item.component == "web"} >= {"motd.txt", "requirements.txt"}
        shutil.rmtree(world.home / "blobs")
        warm = await fleet.do("oslo", "update", "2.0")
        assert isinstance(warm, OperationSucceeded), warm
        assert (warm.version, warm.fetched_bytes) == ("2.0", 0)
        assert all("prestaged 20" in way.reason for way in warm.plan)


async def test_a_release_is_prepared_once_for_all_who_ask(world: World) -> None:
    async with company(world, "1.0") as fleet:
        for site in ("rome", "bonn", "kyiv"):
            await fleet.tell_site(site, {"process": {"port": 8000}, "simulated": {}})
        await fleet.known(fleet.service)
        sites = ["oslo", "rome", "bonn", "kyiv"]
        for operation in await fleet.request_all(sites, "prestage", "1.0"):
            assert isinstance(await fleet.end(operation), OperationSucceeded)
        assert len(world.events(ReleasePrepared)) == 1
        assert 1 <= len(world.events(PrepareRelease)) <= 4


async def test_what_lies_prestaged_on_a_site_is_shown_with_its_size_and_age_and_goes_with_the_site(
    world: World,
) -> None:
    async with company(world, "1.0") as fleet, gateway(world) as api:
        await api.shows("/v1/sites/oslo", bool)
        end = await fleet.do("oslo", "prestage", "1.0")
        lies = (await api.shows("/v1/sites/oslo/prestaged", lambda found: bool(found["items"])))["items"]
        assert [(e["app"], e["version"], e["bytes"], e["complete"]) for e in lies] == [
            (APP, "1.0", end.fetched_bytes, True)
        ]
        shown = await api.shows(f"/v1/operations/{end.operation_id}", lambda o: o["state"] == "succeeded")
        assert (shown["kind"], shown["fetched_bytes"]) == ("prestage", end.fetched_bytes)
        deployments = await api.ask("GET", "/v1/deployments?site=oslo")
        assert deployments.body["items"] == []
        assert (await api.ask("GET", "/v1/sites/nowhere/prestaged")).status == 404
        await fleet.forget("oslo")
        await api.until_written("select count(*) = 0 from prestaged")
        await fleet.known(fleet.service)
        assert await fleet.service.pool.fetchval("select count(*) from deployment where prestaged is not null") == 0


async def test_a_strategy_prestages_its_sites_and_the_next_one_sends_them_nothing(world: World) -> None:
    sites = tuple(Site(name=f"s{n}", connections={"simulated": {}}) for n in range(5))
    device = {"driver": "simulated", "name": "lamp", "spec": {"packages_bytes": 5 * MIB, "images_bytes": 3 * MIB}}
    async with (
        world.run("catalog", catalog),
        world.run("deployer", deployer),
        world.run("strategy_orchestrator", orchestrator),
    ):
        await world.ask(RegisterSites(sites=sites))
        for version in ("1.0", "2.0"):
            parts = [{**device, "spec": {**device["spec"], "seed": int(version[0])}}]  # type: ignore[dict-item]
            manifest = json.dumps({"app": APP, "version": version, "components": parts}).encode()
            await world.send(await publication(world, bundle({"bundle.yaml": manifest})))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)  # type: ignore[misc]
        assert await roll_out(world, "apply", "1.0") == [8 * MIB] * 5
        assert await roll_out(world, "prestage", "2.0") == [8 * MIB] * 5
        assert await roll_out(world, "update", "2.0") == [0] * 5
        assert [(c.version, c.on_behalf is not None) for c in world.events(PrepareRelease)] == [("2.0", True)]


async def roll_out(world: World, kind: str, version: str) -> list[int]:
    """A strategy over all sites, to its end; the bytes that were sent to each."""
    stages = ({"name": "all"},)
    about = {"name": f"{kind}-{version}", "type": kind, "app": APP, "version": version, "stages": stages}
    spec = StrategySpec.model_validate({**about, "selection": {"all": True}})
    answer = await world.ask(CreateStrategy(spec=spec))
    assert isinstance(answer, CommandAccepted), answer
    identifier = answer.result["strategy_id"]
    await world.ask(ApplyStrategy(strategy=identifier))
    ended = {"complete", "failed", "aborted"}
    end = await world.until(StrategyStateChanged, lambda e: e.strategy_id == identifier and e.state in ended)
    assert end.state == "complete", end
    told = [one for e in world.events(OperationsSucceeded) if e.strategy_id == identifier for one in e.operations]
    return [one.fetched_bytes for one in told]
