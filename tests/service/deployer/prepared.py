"""What the catalog would tell of preparations, for tests of the deployer alone; devices pretend their content."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from shared.messages.catalog import ContentItem, PreparationFailed, PrepareRelease, ReleasePrepared
from shared.messages.deployer import Cause
from tests.service.deployer.fleet import APP, Fleet, ready

MIB = 1 << 20


def item(name: str, size: int = 5 * MIB, kind: str = "package", component: str = "web", **more: Any) -> ContentItem:
    """Something that a component pretends to bring."""
    digest = hashlib.sha256(f"{kind}/{name}/{size}".encode()).hexdigest()
    return ContentItem(component=component, kind=kind, name=name, sha256=digest, bytes=size, **more)


def asked(fleet: Fleet, version: str) -> list[str | None]:
    """On whose behalf the preparation of a release was asked for, each time."""
    return [c.on_behalf for c in fleet.world.events(PrepareRelease) if c.version == version]


async def until_asked(fleet: Fleet, version: str, on_behalf: str | None = None) -> None:
    """Until somebody asked for it."""
    await fleet.world.until(PrepareRelease, lambda c: c.version == version and on_behalf in (None, c.on_behalf))


async def prepare(
    fleet: Fleet, version: str, *content: ContentItem, notes: Sequence[Any] = (), bundle: str | None = None
) -> None:
    """Tell that a release is prepared."""
    unique = {each.sha256: each.bytes for each in content}
    event = ReleasePrepared(
        app=APP,
        version=version,
        bundle_sha256=bundle or f"{sum(version.encode()):064x}",
        content=content,
        bytes=sum(unique.values()),
        notes=tuple(notes),
        prepared_at=datetime.now(UTC),
    )
    await fleet.world.send(event)


async def fail(fleet: Fleet, version: str, *on_behalf: str) -> None:
    """Tell that a release could not be prepared."""
    event = PreparationFailed(
        app=APP,
        version=version,
        bundle_sha256=f"{sum(version.encode()):064x}",
        cause=Cause(code="registry_unreachable", message="the registry does not answer"),
        on_behalf=on_behalf,
        failed_at=datetime.now(UTC),
    )
    await fleet.world.send(event)


@asynccontextmanager
async def prestaging(world: Any, sites: Sequence[str], versions: Sequence[str], **own: Any) -> AsyncIterator[Fleet]:
    """A running deployer with these sites and releases, each of which is prepared: 5 MiB of packages, 3 of an image."""
    async with ready(world, sites, versions, **own) as fleet:
        for version in versions:
            packages, images = item(f"wheels-{version}"), item(f"image-{version}", 3 * MIB, "image")
            await prepare(fleet, version, packages, images)
        while await fleet.service.pool.fetchval("select count(*) from preparation") < len(versions):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield fleet


def sent(fleet: Fleet, site: str) -> list[tuple[str, int]]:
    """What the devices of a site say was sent to them: action and bytes, an order each."""
    return [
        (line["action"], line.get("fetched_bytes", 0))
        for line in fleet.journal()
        if line["effect"] != "started" and line["site"] == site
    ]
