"""Images out of registries into the blob store, by digest: what lies there is not fetched again, nor is a part of it.

A blob is held for its preparation before it is looked for, so that what is found is not freed a moment later.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.blobs import Blobs, WrongContent
from shared.components.image_manifests import BadManifest, Descriptor, ImageManifest, choose, platform_in, read
from shared.components.images import Image, image_of
from shared.downloads.registry import Access, RegistryAway, RegistryRefused, blob_of, manifest_of

Hold = Callable[[Mapping[str, int]], Awaitable[None]]
"""Keeps blobs (bytes by digest) for a preparation. Raises Unwanted when nobody wants it any more."""

WentOn = Callable[[], Awaitable[None]]
"""Hears that something was fetched."""


Told = Callable[[int], Awaitable[None]]
"""Hears how many bytes of a blob lie here, after each part."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image for one platform, all of which lies in the blob store."""

    sha256: str
    """Of its manifest."""
    blobs: Mapping[str, int]
    """Bytes by digest, those of the manifest among them."""
    platform: str | None
    index: Mapping[str, int]
    """The list that it was chosen from; empty where its name already means one manifest."""


class Puller:
    """Brings images, and files that lie in registries as images do, into one blob store."""

    def __init__(self, blobs: Blobs, access: Access, platforms: Sequence[str]) -> None:
        self._blobs = blobs
        self._access = access
        self._platforms = platforms

    async def image(self, reference: str, platform: str | None, hold: Hold, went_on: WentOn) -> list[Pulled]:
        """An image, for each wanted platform that it is made for.

        Raises RegistryRefused, BadManifest, RegistryAway and WrongContent.
        """
        image, sha256 = _named(reference)
        found, size = await self._manifest(image, sha256, hold)
        if isinstance(found, ImageManifest):
            return [await self._complete(image, sha256, (found, size), {}, hold, went_on)]
        pulled = []
        for chosen in choose(found, [platform] if platform else self._platforms):
            manifest, bytes_ = await self._manifest(image, chosen.sha256, hold)
            if not isinstance(manifest, ImageManifest):
                raise BadManifest(f"{reference}: a list that holds another list")
            pulled.append(await self._complete(image, chosen.sha256, (manifest, bytes_), {sha256: size}, hold, went_on))
        return pulled

    async def file(self, reference: str, media_type: str, hold: Hold, went_on: WentOn) -> Descriptor:
        """The one layer of that media type. Raises as `image` does."""
        image, sha256 = _named(reference)
        found, _ = await self._manifest(image, sha256, hold)
        every = found.layers if isinstance(found, ImageManifest) else ()
        layers = [one for one in every if one.media_type == media_type]
        if len(layers) != 1:
            raise BadManifest(f"{reference} holds {len(layers)} files of {media_type}, and should hold one")
        await hold({layers[0].sha256: layers[0].bytes})
        await self.blob(image, layers[0], went_on)
        return layers[0]

    async def _complete(
        self,
        image: Image,
        sha256: str,
        read_as: tuple[ImageManifest, int],
        index: Mapping[str, int],
        hold: Hold,
        went_on: WentOn,
    ) -> Pulled:
        manifest, size = read_as
        blobs = {sha256: size, **{one.sha256: one.bytes for one in manifest.blobs}}
        await hold(blobs)
        for one in manifest.blobs:
            await hold({one.sha256: one.bytes})  # … and look whether it is still wanted
            await self.blob(image, one, went_on)
        config = b"".join([chunk async for chunk in self._blobs.stream(manifest.config.sha256)])
        return Pulled(sha256, blobs, platform_in(config), index)

    async def _manifest(
        self, image: Image, sha256: str, hold: Hold
    ) -> tuple[ImageManifest | tuple[Descriptor, ...], int]:
        """A manifest or a list of them, from the store or, put into it, from the registry; and its bytes."""
        if (size := await self._blobs.size(sha256)) is not None:
            await hold({sha256: size})
        if size is not None and await self._blobs.exists(sha256):
            content = b"".join([chunk async for chunk in self._blobs.stream(sha256)])
        else:
            content = await asyncio.to_thread(manifest_of, image, sha256, self._access)
            await hold({sha256: len(content)})
            await self._blobs.put(_once(content), len(content), expected=sha256)
        return read(content), len(content)

    async def blob(self, image: Image, wanted: Descriptor, went_on: WentOn, told: Told | None = None) -> None:
        """One blob, from where an earlier try had come to. Raises RegistryRefused, RegistryAway and WrongContent."""
        if await self._blobs.size(wanted.sha256) == wanted.bytes:
            return
        offset = await self._blobs.coming(wanted.sha256)
        if offset < wanted.bytes:
            async for part in self._parts(image, wanted.sha256, offset):
                if offset + len(part) > wanted.bytes:
                    await self._blobs.drop_parts(wanted.sha256)
                    raise WrongContent(f"{wanted.sha256} has more than the {wanted.bytes} bytes that its manifest says")
                await self._blobs.put_part(wanted.sha256, offset, part)
                offset += len(part)
                if told:
                    await told(offset)
        if offset < wanted.bytes:
            raise RegistryAway(f"{offset} of {wanted.bytes} bytes of {wanted.sha256} came from {image.registry}")
        await self._blobs.join(wanted.sha256, wanted.bytes)
        await went_on()

    async def _parts(self, image: Image, sha256: str, offset: int) -> AsyncIterator[bytes]:
        parts = blob_of(image, sha256, offset, self._access)
        try:
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                yield part
        finally:
            with suppress(ValueError):  # a thread is still at it when we are cancelled; it ends by itself
                parts.close()


def _named(reference: str) -> tuple[Image, str]:
    """The image and the digest that it is named by. Raises RegistryRefused."""
    try:
        image = image_of(reference.removeprefix("oci://"))
    except ValueError as error:
        raise RegistryRefused("image_unavailable", f"{reference[:200]}: {error}") from error
    if image.digest is None:
        raise RegistryRefused("image_unavailable", f"{reference}: names no digest, so it may be another one tomorrow")
    return image, image.digest.removeprefix("sha256:")


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
