"""Sites that are folders of this machine: their content, a file an item.

<sha256>          finished
.<sha256>.part    what arrived until now
"""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from services.deployer.drivers import Item
from services.deployer.drivers.content.sink import WHOLE, Damaged
from shared.blobs import sync


class FolderSink:
    """The content that lies in a folder. Any number of these may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where a finished item lies."""
        return self.folder / sha256

    async def offsets(self, items: Sequence[Item]) -> Sequence[int]:
        """As Sink.offsets."""
        return await asyncio.to_thread(lambda: [self._offset(item) for item in items])

    async def append(self, item: Item, offset: int, chunk: bytes) -> None:
        """As Sink.append. Raises OSError."""
        await asyncio.to_thread(self._append, item, offset, chunk)

    async def finish(self, item: Item) -> None:
        """As Sink.finish. Raises OSError."""
        await asyncio.to_thread(self._finish, item)

    async def discard(self, items: Sequence[Item]) -> int:
        """Let items go, also those that came only in part; returns how many lay there."""
        return await asyncio.to_thread(lambda: sum([self._discard(item) for item in items]))

    def _part(self, item: Item) -> Path:
        return self.folder / f".{item.sha256}.part"

    def _offset(self, item: Item) -> int:
        whole = self.path(item.sha256)
        if whole.is_file():
            return WHOLE
        try:
            return min(self._part(item).stat().st_size, item.bytes)
        except FileNotFoundError:
            return WHOLE if whole.is_file() else 0  # one that was given up may have finished it between the two looks

    def _append(self, item: Item, offset: int, chunk: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._part(item), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            written = 0
            while written < len(chunk):  # a full disk says so with the rest
                written += os.pwrite(file, chunk[written:], offset + written)
            os.fsync(file)
        finally:
            os.close(file)

    def _finish(self, item: Item) -> None:
        part, whole = self._part(item), self.path(item.sha256)
        try:
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            if whole.is_file():  # another deployer was as far
                return
            if item.bytes:
                raise
            self._append(item, 0, b"")
            digest = hashlib.sha256(b"").hexdigest()
        if digest != item.sha256:
            part.unlink(missing_ok=True)
            raise Damaged(f"{item.name} arrived with another content: {digest} instead of {item.sha256}")
        try:
            part.rename(whole)
        except FileNotFoundError:  # whoever was given up, or fenced off, was still at it
            if not whole.is_file():
                raise
        sync(self.folder)  # what the database says to be there must survive a power cut

    def _discard(self, item: Item) -> bool:
        found = [path for path in (self.path(item.sha256), self._part(item)) if path.exists()]
        for path in found:
            path.unlink(missing_ok=True)
        return bool(found)
