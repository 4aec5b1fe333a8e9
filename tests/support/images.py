"""Images made by hand, and a registry that serves them and breaks as it is told.

What a real registry does is tested on a real one (tests/support/image_registry.py); none of those breaks on demand.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from shared.components.image_manifests import LISTS, MANIFESTS

GZIPPED = "application/vnd.oci.image.layer.v1.tar+gzip"
PIECE = 1 << 16


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression makes fewer, the same each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class MadeImage:
    """An image for one platform, or a list of some: its manifest and all other blobs by digest."""

    manifest: bytes
    media_type: str
    blobs: dict[str, bytes]
    others: tuple[MadeImage, ...] = ()

    @property
    def sha256(self) -> str:
        return sha(self.manifest)

    @property
    def bytes(self) -> int:
        """Of the manifest and all its blobs."""
        return len(self.manifest) + sum(map(len, self.blobs.values()))


def image(*layers: bytes, platform: str = "linux/amd64", layer_type: str = GZIPPED, oci: bool = True) -> MadeImage:
    """One for a platform."""
    os, architecture, *variant = platform.split("/")
    config = json.dumps({"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})})
    blobs = {sha(content): content for content in (config.encode(), *layers)}
    media_type = MANIFESTS[0 if oci else 1]
    raw = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config.encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [_descriptor(layer, layer_type) for layer in layers],
    }
    return MadeImage(json.dumps(raw).encode(), media_type, blobs)


def listed(images: Sequence[tuple[str, MadeImage]], oci: bool = True) -> MadeImage:
    """A list of images, each for the platform it is told with."""
    media_type = LISTS[0 if oci else 1]
    entries = []
    for platform, one in images:
        words = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
        entries.append({**_descriptor(one.manifest, one.media_type), "platform": words})
    raw = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return MadeImage(json.dumps(raw).encode(), media_type, {}, tuple(one for _, one in images))


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{sha(content)}", "size": len(content)}


@dataclass
class BreakingRegistry:
    """Serves what it was given, at `host`; what it is told beside that makes it break."""

    host: str = ""
    manifests: dict[str, MadeImage] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    """Bytes by digest, as often as they were sent."""
    began: dict[str, list[int]] = field(default_factory=dict)
    """Where each answer of a blob began."""
    asked: list[str] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)
    """The next blobs break off after so many bytes."""
    statuses: list[int] = field(default_factory=list)
    """The next answers are these."""
    ranges: bool = True
    token: str | None = None
    """Is asked for where it is set."""
    stalls_after: int | None = None
    """A blob stands still after so many bytes, until `goes_on`."""
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    pace: float = 0
    """Seconds between two pieces."""

    def add(self, name: str, made: MadeImage) -> str:
        """Serve an image; its name with its digest."""
        self.manifests[made.sha256] = made
        self.blobs |= made.blobs
        for one in made.others:
            self.add(name, one)
        return f"{self.host}/{name}@sha256:{made.sha256}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        kind, _, digest = request.match_info["rest"].rpartition("/")
        sha256 = digest.removeprefix("sha256:")
        if kind.endswith("manifests") and sha256 in self.manifests:
            made = self.manifests[sha256]
            return web.Response(body=made.manifest, headers={"Content-Type": made.media_type})
        if kind.endswith("blobs") and sha256 in self.blobs:
            return await self._blob(request, sha256)
        return web.Response(status=404)

    async def _blob(self, request: web.Request, sha256: str) -> web.StreamResponse:
        start = (request.http_range.start or 0) if self.ranges else 0
        content = self.blobs[sha256]
        self.began.setdefault(sha256, []).append(start)
        answer = web.StreamResponse(status=206 if start else 200)
        answer.content_length = len(content) - start
        await answer.prepare(request)
        end = self.cut_after.pop(0) if self.cut_after else None
        sent = 0
        for position in range(start, len(content), PIECE):
            if self.stalls_after is not None and sent >= self.stalls_after:
                await self.goes_on.wait()
            if end is not None and sent >= end:
                assert request.transport
                request.transport.abort()
                return answer
            await asyncio.sleep(self.pace)
            piece = content[position : position + PIECE]
            await answer.write(piece)
            sent += len(piece)
            self.sent[sha256] = self.sent.get(sha256, 0) + len(piece)
        return answer


@asynccontextmanager
async def breaking_registry() -> AsyncIterator[BreakingRegistry]:
    """On a port of this machine, until the block is left."""
    registry = BreakingRegistry()
    app = web.Application()
    app.router.add_get("/v2/{rest:.*}", registry.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield registry
    finally:
        registry.goes_on.set()
        await runner.cleanup()
