"""The files that a component brings to its hosts: named by its spec, read from the unpacked bundle."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.deployer.drivers import Item, Order
from services.deployer.drivers.failed import Failed
from shared.blobs import Blobs, BlobStoreFailed, UnknownBlob
from shared.components.content import Package


@dataclass(slots=True)
class Files:
    """Content that lies unpacked on this machine, or else in the blob store."""

    items: tuple[Item, ...]
    blobs: Blobs
    folder: Path | None = None
    _paths: Mapping[str, Path] = field(init=False)

    def __post_init__(self) -> None:
        self._paths = {item.sha256: self.folder / item.name for item in self.items} if self.folder else {}

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(item.bytes for item in self.items)

    async def read(self, sha256: str, start: int, count: int) -> bytes:
        """A part of one, as `send` asks for it. Raises Failed."""
        try:
            if path := self._paths.get(sha256):
                return await asyncio.to_thread(_part_of, path, start, count)
            return await self.blobs.read(sha256, start, count)
        except UnknownBlob as error:
            raise Failed("content_missing", f"what was prepared is not in the blob store any more: {error}") from None
        except (BlobStoreFailed, OSError) as error:
            raise Failed("host_error", f"content cannot be read where the deployer is: {error}") from None


def _part_of(path: Path, start: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(count)


class Brought:
    """What components bring, reckoned once for each bundle and spec while it is asked for."""

    MOST = 100

    def __init__(self) -> None:
        self._known: dict[str, tuple[Item, ...]] = {}

    async def of(self, key: str, order: Order, project: Path) -> tuple[Item, ...]:
        """The items of the order's component. `key` stands for bundle and spec. Raises OSError."""
        if key not in self._known:
            self._known[key] = await asyncio.to_thread(_items_in, order, project)
            if len(self._known) > self.MOST:
                del self._known[next(iter(self._known))]
        return self._known[key]


def _items_in(order: Order, project: Path) -> tuple[Item, ...]:
    packages = [each for each in order.component.spec.content(project) if isinstance(each, Package)]
    return tuple(_item(order.component.name, project, package.path) for package in packages)


def _item(component: str, project: Path, name: str) -> Item:
    with (project / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Item(component, "package", name, digest, file.tell())
