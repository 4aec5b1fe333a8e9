"""Two versions of Belay on the same topics and tables: both work, nothing is lost, and the newer can go again."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from services.cli.client import Client
from shared.messages.catalog import CommandAccepted, ReleaseAvailable
from tests.service.catalog.shelf import put
from tests.support.bundles import bundle, manifest
from tests.support.newer import newer_version
from tests.support.patience import patience
from tests.support.probe import address, until_ready
from tests.support.replica import Replica, replica
from tests.support.world import World

pytestmark = pytest.mark.e2e

EACH = 6
"""Releases published through each gateway in each phase; their commands spread over the catalogs by their digests."""


async def test_old_and_new_work_side_by_side_and_the_new_one_can_be_taken_back(world: World, tmp_path: Path) -> None:
    newer = newer_version(tmp_path / "newer")
    await widen(world, "catalog.commands", 4)
    async with version(world, "1") as old, replica(world, "deployer"):
        await publish(world, "before", "1")
        async with version(world, "2", newer) as new:
            await until_ready(world.home, "catalog", "1", "2")
            await publish(world, "beside", "1", "2")
            assert {source.rpartition("/")[2] for source in sources(world, "beside")} == {"1", "2"}
            await stop(old)
            await publish(world, "after", "2")
            await publish_into(world, "edge")
            assert await channel_of(world, "edge") == "edge"
            async with version(world, "3"):
                await stop(new)
                await publish(world, "again", "3")
                await until_all_know(world, "3", [e.app for e in world.events(ReleaseAvailable)])
    assert await channel_of(world, "again-3-0") == "stable"
    assert world.dead == []


@asynccontextmanager
async def version(world: World, instance: str, code: Path | None = None) -> AsyncIterator[list[Replica]]:
    """A catalog and a gateway of one version, ready; no record was too much for them."""
    async with AsyncExitStack() as stack:
        names = {"catalog": {}, "gateway": {"gateway_port": 0, "gateway_drain_seconds": 0}}
        started = [
            await stack.enter_async_context(replica(world, name, instance, code=code, **own))
            for name, own in names.items()
        ]
        for name in names:
            await until_ready(world.home, name, instance)
        yield started
        assert [line for one in started for line in one.log if "dead_letter" in line or "error" in line] == []


async def stop(replicas: Sequence[Replica]) -> None:
    for one in replicas:
        await one.stop()


async def publish(world: World, phase: str, *gateways: str) -> None:
    """Upload bundles through the gateways, half of them through each; every release becomes available once."""
    wanted = {f"{phase}-{gateway}-{number}" for gateway in gateways for number in range(EACH)}
    for gateway in gateways:
        await asyncio.to_thread(upload, world, gateway, sorted(w for w in wanted if f"-{gateway}-" in w))
    for app in wanted:
        await world.until(ReleaseAvailable, lambda e, app=app: e.app == app)
    apps = [e.app for e in world.events(ReleaseAvailable)]
    assert sorted(app for app in apps if app in wanted) == sorted(wanted)
    for gateway in gateways:
        await until_all_know(world, gateway, sorted(wanted))


def upload(world: World, gateway: str, apps: Sequence[str]) -> None:
    with client(world, gateway) as http:
        for app in apps:
            path = world.home / f"{app}.tar.gz"
            path.write_bytes(bundle_of(app))
            http.upload(path)


async def publish_into(world: World, channel: str) -> None:
    """By a client that knows the new field, once every reader does."""
    blob = await put(world, bundle_of(channel))
    body = {"bundle_sha256": blob.sha256, "bundle_bytes": blob.size, "channel": channel}
    headers = {"ce_id": "into-edge", "ce_type": "belay.catalog.publish_release.v1"}
    await world.send_raw("catalog.commands", json.dumps(body).encode(), headers, blob.sha256.encode())
    await world.until(ReleaseAvailable, lambda e: e.app == channel)


def bundle_of(app: str) -> bytes:
    return bundle({"bundle.yaml": manifest().replace(b"app: lamp", f"app: {app}".encode())})


async def until_all_know(world: World, gateway: str, apps: Sequence[str]) -> None:
    def known() -> set[str]:
        with client(world, gateway) as http:
            return {app["app"] for app in http.pages("/v1/apps")}

    async with patience(30):
        while not set(apps) <= await asyncio.to_thread(known):  # noqa: ASYNC110 - a read model is asked
            await asyncio.sleep(0.1)


def client(world: World, gateway: str) -> Client:
    return Client(address(world.home, "gateway", gateway) or "", (world.home / "admin.token").read_text().strip())


def sources(world: World, phase: str) -> set[str]:
    """Which catalogs took the commands of a phase."""
    digests = {hashlib.sha256(bundle_of(f"{phase}-{g}-{n}")).hexdigest() for g in "12" for n in range(EACH)}
    return {e.source for e in world.seen if isinstance(e.data, CommandAccepted) and e.data.about in digests}


async def channel_of(world: World, app: str) -> str:
    conn = await asyncpg.connect(world.database_dsn)
    try:
        return str(await conn.fetchval("select channel from catalog.release where app = $1", app))
    finally:
        await conn.close()


async def widen(world: World, topic: str, partitions: int) -> None:
    """More partitions, so that the replicas of one service work at the same time."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        await admin.create_partitions({world.prefix + topic: NewPartitions(partitions)})
    finally:
        await admin.close()
