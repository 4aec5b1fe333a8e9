"""Bundles from the blob store onto a host."""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.deployer.drivers.process.host import Unpack
from services.deployer.drivers.process.release import Failed
from shared import bundle
from shared.blobs import Blobs, UnknownBlob


def from_store(blobs: Blobs) -> Unpack:
    """How the process driver gets at bundles. What it returns raises Failed, and OSError when the store is down."""

    async def unpack(sha256: str, target: Path) -> None:
        try:
            async with blobs.as_file(sha256) as file:
                await asyncio.to_thread(bundle.unpack, file, target)
        except UnknownBlob:
            raise Failed("bundle_missing", f"the blob store has no bundle {sha256}") from None
        except bundle.BundleRefused as refused:
            raise Failed("bundle_refused", f"the bundle {sha256} cannot be unpacked: {refused}") from refused

    return unpack
