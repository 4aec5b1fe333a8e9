"""Bundles put on the shelf of a test's world, and commands that publish them."""

from collections.abc import AsyncIterator

from shared.blobs import Blob, Blobs
from shared.messages.catalog import PublishRelease
from shared.process.service import Service
from tests.support.world import World


async def put(world: World, content: bytes) -> Blob:
    """Upload a bundle, as the gateway does."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return await Blobs.open(world.settings("catalog")).put(chunks(), limit=len(content))


async def publication(world: World, content: bytes, file_name: str = "lamp.tar.gz") -> PublishRelease:
    """The command that publishes these bytes, which lie in the blob store from now on."""
    blob = await put(world, content)
    return PublishRelease(bundle_sha256=blob.sha256, bundle_bytes=blob.size, file_name=file_name)


async def rows(service: Service, table: str) -> int:
    """How many rows a table has."""
    count: int = await service.pool.fetchval(f"select count(*) from {table}")  # noqa: S608 - the test's own words
    return count
