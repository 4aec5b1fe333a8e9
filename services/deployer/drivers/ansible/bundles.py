"""Bundles unpacked under the deployer's home: once each, never half, read by all runs and written to by none."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from services.deployer.drivers.durable.tool import Failed
from services.deployer.drivers.process.host import locked
from shared import bundle
from shared.blobs import Blobs, UnknownBlob

YOUNG_SECONDS = 86_400.0
"""A bundle that was used within a day is never cleared away: a run may still read it."""


class Bundles:
    """Those of a blob store; `keep` of them stay when none of their runs needs them any more."""

    def __init__(self, home: Path, blobs: Blobs, keep: int) -> None:
        self._root = home.resolve() / "ansible" / "bundles"
        self._blobs = blobs
        self._keep = keep

    async def exists(self, sha256: str | None) -> bool:
        """Whether the store has it."""
        return sha256 is not None and await self._blobs.exists(sha256)

    async def unpacked(self, sha256: str) -> Path:
        """The folder with its files. Raises Failed, and OSError when the disk or the store fails."""
        target = self._root / Path(sha256).name
        async with locked(self._root / f".{target.name}.lock"):
            if not await asyncio.to_thread(target.is_dir):
                await self._unpack(sha256, target)
            await asyncio.to_thread(os.utime, target)
        return target

    async def _unpack(self, sha256: str, target: Path) -> None:
        try:
            async with self._blobs.as_file(sha256) as file:
                await asyncio.to_thread(bundle.unpack, file, target)
        except UnknownBlob:
            raise Failed("bundle_missing", f"the blob store has no bundle {sha256}") from None
        except bundle.BundleRefused as refused:
            raise Failed("bundle_refused", f"the bundle {sha256} cannot be unpacked: {refused}") from refused

    def prune(self, now: float) -> None:
        """Clear away the oldest beyond those that are kept, and what killed processes left of unpacking."""
        if not self._root.is_dir():
            return
        by_age = sorted((path.stat().st_mtime, path) for path in self._root.iterdir() if path.is_dir())
        old = [path for used, path in by_age if now - used > YOUNG_SECONDS]
        drafts = [path for path in old if path.name.startswith(".")]
        whole = [path for path in old if not path.name.startswith(".")]
        for path in [*drafts, *whole[: max(len(by_age) - len(drafts) - self._keep, 0)]]:
            shutil.rmtree(path, ignore_errors=True)
