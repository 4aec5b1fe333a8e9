"""An image on its way from the blob store to an engine, by the engine's own API: no registry is asked.

It goes in steps of a few layers, each an image of its own that is there or not (`archive.py`): who is killed or cut off
has only the step at hand to send again. An engine writes what it is sent to its disk before it looks at it, so a layer
cannot be sent in pieces.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from aiodocker import DockerError
from aiohttp import ClientTimeout

from services.deployer.drivers import Item
from services.deployer.drivers.container import archive
from services.deployer.drivers.container.archive import Layer, NoImage, Whole
from services.deployer.drivers.container.engine import CONFLICT, GONE, NOT_REACHED, Engine, Unreachable, translated
from services.deployer.drivers.container.faults import code_of_load, sentence_of_load
from services.deployer.drivers.content.pace import Pace
from services.deployer.drivers.failed import Failed
from shared.blobs import CHUNK, Blobs, UnknownBlob
from shared.components.images import Image

SILENT_SECONDS = 60.0
"""An engine that takes nothing for so long is away, whatever its connection says."""
UNPACK_SECONDS = 1800.0
"""It has all, and unpacks: a large layer on a slow disk. It says nothing until then."""
MANIFEST_BYTES = 16 << 20

VANISHED = "image not known"
"""What Podman says of an image that was there a moment ago."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where prepared images lie, and how fast they may leave."""

    blobs: Blobs
    pace: Pace

    async def whole(self, item: Item) -> Whole | None:
        """An image as it was prepared; None where its content was freed. Raises Failed."""
        try:
            manifest = await self._small(item.sha256)
            return Whole.read(manifest, await self._small(archive.config_of(manifest)))
        except UnknownBlob:
            return None
        except NoImage as error:
            raise Failed("content_damaged", f"what was prepared of {item.name} is no image: {error}") from None

    async def _small(self, sha256: str) -> bytes:
        read = b""
        async for chunk in self.blobs.stream(sha256):
            read += chunk
            if len(read) > MANIFEST_BYTES:
                raise NoImage("its manifest or its configuration is larger than any")
        return read


@dataclass(slots=True)
class Sending:
    """One image to one engine."""

    engine: Engine
    store: Store
    site: str
    image: Image
    whole: Whole
    sent: Callable[[int], None]
    """Told of each piece that has left."""
    arrived: Callable[[], Awaitable[None]]
    """Told after each step."""

    async def send(self) -> None:
        """Have the image on the engine under `tag_of` its name. Raises Failed and Unreachable."""
        layers, there = self.whole.layers, await self._there()
        await self._refuse_full_disk(layers[there:])
        for count in archive.steps(layers, there, CHUNK)[:-1]:
            await self._load_part(count, layers[there:count])
            there = count
            await self.arrived()
        await self._load(self.whole, archive.tag_of(self.image), layers[there:])
        self.sent(len(self.whole.manifest) + len(self.whole.config))
        await self._prove()
        await forget_parts(self.engine, [self.whole.sha256])

    async def _refuse_full_disk(self, layers: Sequence[Layer]) -> None:
        """Before anything is sent; an engine that finds out in the middle may end the connection without a word."""
        needed, free = sum(layer.size for layer in layers), await self.engine.free_bytes()
        if free is not None and free < needed:
            told = f"{self.image.by_digest} needs {needed} bytes more, and {free} are left on the engine's disk"
            raise Failed("disk_full", told)

    async def _there(self) -> int:
        """How many of the first layers the engine has: it is asked to load the image without any."""
        lacks = len(self.whole.layers)
        if await self._loads(lacks):
            return lacks
        has = 1 if lacks > 1 and await self._loads(1) else 0
        while has and lacks - has > 1:
            middle = (has + lacks) // 2
            has, lacks = (middle, lacks) if await self._loads(middle) else (has, middle)
        return has

    async def _loads(self, count: int) -> bool:
        """Never tried with the image itself: an engine may keep its name although a layer is missing."""
        try:
            await self._load_part(count, ())
        except Failed:  # a layer is not there; whatever else it is comes again when the layer is sent
            return False
        return True

    async def _load_part(self, count: int, layers: Sequence[Layer]) -> None:
        await self._load(self.whole.first(count), archive.part_name(self.whole, count), layers)

    async def _load(self, image: Whole, name: str, layers: Sequence[Layer]) -> None:
        """Load an image of which the engine lacks these, its last layers."""
        load = Load(self, archive.opening(image, name), layers)
        async with translated(f"{self.image.by_digest} could not be sent"):
            try:
                await load.through()
            except DockerError as error:
                if error.status == NOT_REACHED:
                    raise
                raise _refused(self.image, error.message) from error

    async def _prove(self) -> None:
        async with translated("the image could not be looked for"):
            found = await self.engine.docker.images.inspect(archive.tag_of(self.image))
        if found["Id"] not in (self.whole.id, f"sha256:{self.whole.sha256}"):
            raise Failed("content_damaged", f"{self.image.by_digest} is another image on the engine: {found['Id']}")


@dataclass(slots=True)
class Load:
    """One archive under way."""

    sending: Sending
    opening: bytes
    layers: Sequence[Layer]
    _broken: Failed | Unreachable | None = None
    """Why the archive ended early: aiohttp tells of its body's failures in words of its own."""

    async def through(self) -> None:
        """Raises Failed, and what a request does that was refused or cut off."""
        try:
            async with asyncio.timeout(SILENT_SECONDS) as silence:
                await self._post(self._body(silence))
        except Exception as error:
            raise (self._broken or error) from error

    async def _post(self, body: AsyncGenerator[bytes, None]) -> None:
        docker, headers = self.sending.engine.docker, {"Content-Type": "application/x-tar"}
        # aiodocker's own import reads the answer as one text, and gives up after the time of any other call.
        asked = docker._query("images/load", "POST", data=body, headers=headers, timeout=ClientTimeout())  # noqa: SLF001
        try:
            async with asked as answer:
                async for line in answer.content:
                    if error := json.loads(line).get("error"):
                        raise DockerError(200, str(error))
        finally:
            with suppress(RuntimeError):  # aiohttp's writer is still in it, and about to be cancelled
                await body.aclose()

    async def _body(self, silence: asyncio.Timeout) -> AsyncGenerator[bytes, None]:
        now = asyncio.get_running_loop().time
        try:
            async with aclosing(self._pieces()) as pieces:
                async for piece in pieces:
                    silence.reschedule(now() + SILENT_SECONDS)
                    yield piece
                    silence.reschedule(None)  # what the pace and the blob store take is not the engine's silence
            silence.reschedule(now() + UNPACK_SECONDS)
        except (Failed, Unreachable) as error:
            self._broken = error
            raise

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        sending = self.sending
        yield self.opening
        for layer in self.layers:
            yield archive.layer_opening(layer)
            async with aclosing(self._chunks(layer)) as chunks:
                async for chunk in chunks:
                    yield chunk
                    sending.sent(len(chunk))
            yield archive.layer_closing(layer)
        yield archive.CLOSING

    async def _chunks(self, layer: Layer) -> AsyncGenerator[bytes, None]:
        """The layer at the pace of the site; the engine has what was given before when this goes on."""
        store, offset = self.sending.store, 0
        pace = store.pace.at(self.sending.site)
        while offset < layer.size:
            count = min(pace.most, layer.size - offset)
            async with pace.admit(count):
                yield await _read(store.blobs, layer.sha256, offset, count, self.sending.image)
            offset += count


async def _read(blobs: Blobs, sha256: str, offset: int, count: int, image: Image) -> bytes:
    try:
        return await blobs.read(sha256, offset, count)
    except UnknownBlob as error:
        told = f"what was prepared of {image.by_digest} is not in the blob store any more: {error}"
        raise Failed("content_missing", told) from None
    except OSError as error:
        raise Unreachable(f"the blob store cannot be read: {error}") from error


def _refused(image: Image, sentence: str) -> Failed:
    return Failed(code_of_load(sentence), f"{image.by_digest} could not be sent: {sentence_of_load(sentence)}")


async def forget_parts(engine: Engine, manifests: Collection[str]) -> None:
    """Remove the images that only kept first layers of these, by the digests of their manifests."""
    listed = await _listed(engine)
    names = {name for found in listed for name in found.get("RepoTags") or ()}
    for name in sorted(name for name in names if archive.whose_part(name) in manifests):
        await forget(engine, name)


async def _listed(engine: Engine) -> list[dict[str, Any]]:
    """Raises Unreachable, to be tried again, also where another order removed one meanwhile: Podman looks at each."""
    async with translated("the images could not be listed"):
        try:
            return await engine.docker.images.list(filters={"reference": [archive.OURS]})
        except DockerError as error:
            if VANISHED in error.message:
                raise Unreachable(f"the images could not be listed: {error.message}") from error
            raise


async def forget(engine: Engine, name: str) -> None:
    """Remove an image's name, and the image with its last one; one that a container needs stays."""
    async with translated("an image could not be removed"):
        try:
            await engine.docker.images.delete(name)
        except DockerError as error:
            # Podman says 500 for an image in use, too. It is only about room on the disk.
            if error.status not in (GONE, CONFLICT, 500):
                raise
