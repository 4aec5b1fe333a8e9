"""Releases for tests of their preparation, and what came of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shared.messages.catalog import (
    CommandAccepted,
    PreparationFailed,
    PrepareRelease,
    ReleaseAvailable,
    ReleasePrepared,
)
from tests.service.catalog.shelf import publication
from tests.support.bundles import bundle
from tests.support.wheels import pin, wheel
from tests.support.world import World

PROCESS = """\
app: lamp
version: "{version}"
components:
  - driver: process
    name: switch
    spec: {{requirements: switch.lock, command: [switch], seed: {{first.db: data/first.db}}}}
"""
CONTAINER = """\
app: lamp
version: "{version}"
components:
  - driver: container
    name: {name}
    spec: {{image: "{image}"}}
"""
SWITCH = wheel("switch")


def with_wheels(version: str = "1.0.0") -> bytes:
    """A release of a process: a wheel, its lock, one more wheel that nobody's lock names would be refused."""
    files = {
        "bundle.yaml": PROCESS.format(version=version).encode(),
        "switch.lock": pin("switch", SWITCH).encode(),
        "wheels/switch-1.0-py3-none-any.whl": SWITCH,
        "data/first.db": b"first",
        "data/unused.txt": b"nobody needs it",
    }
    return bundle(files)


def with_image(image: str, version: str = "1.0.0", name: str = "bulb") -> bytes:
    """A release of one container."""
    return bundle({"bundle.yaml": CONTAINER.format(version=version, image=image, name=name).encode()})


async def available(world: World, content: bytes, version: str = "1.0.0") -> ReleaseAvailable:
    """Publish a bundle, and the release that it became."""
    await world.send(await publication(world, content))
    return await world.until(ReleaseAvailable, lambda release: release.version == version)


async def prepare(world: World, version: str = "1.0.0", on_behalf: str | None = None) -> CommandAccepted:
    """Ask for it; it must be accepted."""
    answer = await world.ask(PrepareRelease(app="lamp", version=version, on_behalf=on_behalf))
    assert isinstance(answer, CommandAccepted), answer
    return answer


async def prepared(world: World, version: str = "1.0.0") -> ReleasePrepared:
    return await world.until(ReleasePrepared, lambda release: release.version == version)


async def failed(world: World, version: str = "1.0.0", nth: int = 1) -> PreparationFailed:
    """The nth time that it is told."""

    def told(_: PreparationFailed) -> bool:
        return len([one for one in world.events(PreparationFailed) if one.version == version]) >= nth

    await world.until(PreparationFailed, told)
    return [one for one in world.events(PreparationFailed) if one.version == version][nth - 1]


def lies(world: World, sha256: str) -> bool:
    """Whether a blob lies in the store, whole and as its name says."""
    file = blob(world, sha256)
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256


def blob(world: World, sha256: str) -> Path:
    return world.home / "blobs" / sha256[:2] / sha256
