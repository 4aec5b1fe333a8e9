"""Bundles in registries of images: the one layer of an artifact."""

import asyncio
from dataclasses import replace

from services.catalog.preparation.pulling import Puller
from services.catalog.publication import store
from services.catalog.publication.domain import Import
from services.catalog.publication.receiving import Receiving
from services.catalog.settings import CatalogSettings
from shared.blobs import Blob, WrongContent
from shared.components.image_manifests import BadManifest, ImageManifest, read
from shared.components.images import Image, image_of
from shared.core.transaction import Job
from shared.downloads.registry import Access, manifest_of, resolve
from shared.targets import check_target


class ByReference:
    """Fetches from registries."""

    def __init__(self, receiving: Receiving, settings: CatalogSettings) -> None:
        self._receiving = receiving
        self._blobs = receiving.blobs
        self._settings = settings
        self._coming: dict[str, str] = {}
        """By import, the layer that it fetches: its parts lie under that digest."""

    async def drop(self, job: Job) -> None:
        """It is not had after all: what came of it would fill the disk for a day."""
        if layer := self._coming.pop(job.id, None):
            await self._blobs.drop_parts(layer)

    async def fetch(self, job: Job, wanted: Import) -> Blob:
        """The one layer of an artifact. A tag is resolved once: later tries mean the same content."""
        image = image_of((wanted.resolved or wanted.source).removeprefix("oci://"))
        access = await self._access(image)
        puller = Puller(self._blobs, access, ())
        if image.digest is None:
            digest = await asyncio.to_thread(resolve, image, access)
            image = image_of(f"{image.name}@{digest}")
            async with self._receiving.ledger.pool.acquire() as conn:
                await store.note_resolved(conn, job.id, f"oci://{image.by_digest}")
        digest = (image.digest or "").removeprefix("sha256:")
        manifest = read(await asyncio.to_thread(manifest_of, image, digest, access))
        if not isinstance(manifest, ImageManifest) or len(manifest.layers) != 1:
            raise BadManifest(f"{image.by_digest} is not an artifact of one file")
        (layer,) = manifest.layers
        self._receiving.must_fit(layer.bytes)
        if wanted.sha256 not in (None, layer.sha256):
            raise WrongContent(f"{image.by_digest} holds sha256 {layer.sha256}, not {wanted.sha256}")
        await self._receiving.must_have_room(layer.bytes, await self._blobs.coming(layer.sha256))
        self._coming[job.id] = layer.sha256
        await puller.blob(image, layer, _nothing, self._receiving.teller(job, layer.bytes))
        await self._receiving.must_begin_as_bundle(layer.sha256)
        self._coming.pop(job.id, None)
        return Blob(layer.sha256, layer.bytes)

    async def _access(self, image: Image) -> Access:
        """One that the settings name is meant to be reached, wherever it stands; any other within bounds.

        Looked up once beforehand, so that what is refused is said at once; then again by each connection itself.
        """
        access, registry = self._settings.access, image.registry
        if registry is None or registry in access.mirrors or registry in access.plain:
            return access
        await check_target(f"https://{registry}/", self._settings.source_bounds)
        return replace(access, bounds=self._settings.source_bounds)


async def _nothing() -> None:
    """Hears of what is told elsewhere."""
