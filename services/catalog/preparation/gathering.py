"""What a release brings to sites, gathered in the blob store: its components say what, and from where."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.catalog.preparation.pulling import Hold, Puller, WentOn
from shared import components
from shared.blobs import CHUNK, Blobs
from shared.components.content import Content, ImageRef, Note, Package, Pretended, RegistryFile
from shared.core.errors import BelayError
from shared.messages.catalog import ContentItem, ContentNote
from shared.messages.manifest import Manifest


class BadContent(BelayError):
    """A component says that it brings something that its bundle does not hold."""


@dataclass(slots=True)
class Gathered:
    """What was found: items and notes as they are told, and the blobs that make them (bytes by digest)."""

    items: list[ContentItem] = field(default_factory=list)
    notes: list[ContentNote] = field(default_factory=list)
    blobs: dict[str, int] = field(default_factory=dict)


class Gatherer:
    """Gathers what one release brings; `hold` keeps its blobs in the store."""

    def __init__(self, blobs: Blobs, puller: Puller, hold: Hold, went_on: WentOn) -> None:
        self._blobs = blobs
        self._puller = puller
        self._hold = hold
        self._went_on = went_on
        self._found = Gathered()

    async def gather(self, manifest: Manifest, folder: Path) -> Gathered:
        """Of all components, one after the other; the bundle lies unpacked in `folder`."""
        for component in manifest.components:
            spec = components.read(component.driver, component.spec)
            content = list(dict.fromkeys(await asyncio.to_thread(spec.content, folder)))
            await self._take_files(component.name, folder, [one for one in content if isinstance(one, Package)])
            for one in content:
                await self._take(component.name, one)
        return self._found

    async def _take_files(self, component: str, folder: Path, packages: Sequence[Package]) -> None:
        files = {package.path: _inside(folder, package.path) for package in packages}
        looked = await asyncio.to_thread(lambda: {name: _digest(file) for name, file in files.items()})
        if looked:
            await self._hold(dict(looked.values()))
        for name, (sha256, size) in looked.items():
            if not await self._blobs.exists(sha256):
                await self._blobs.put(_chunks(files[name]), size, expected=sha256)
            self._add(component, "package", name, sha256, size)
            self._found.blobs[sha256] = size

    async def _take(self, component: str, content: Content) -> None:
        match content:
            case Package():
                return  # with all the others of its component
            case ImageRef(reference, platform):
                await self._take_image(component, reference, platform)
            case RegistryFile(reference, media_type):
                file = await self._puller.file(reference, media_type, self._hold, self._went_on)
                self._add(component, "package", reference, file.sha256, file.bytes)
                self._found.blobs[file.sha256] = file.bytes
            case Pretended(kind, name, size):
                digest = hashlib.sha256(f"{kind} {name} {size}".encode()).hexdigest()
                self._add(component, kind, name, digest, size)
            case Note(text):
                self._found.notes.append(ContentNote(component=component, text=text))

    async def _take_image(self, component: str, reference: str, platform: str | None) -> None:
        for image in await self._puller.image(reference, platform, self._hold, self._went_on):
            size = sum(image.blobs.values())
            index = next(iter(image.index), None)
            self._add(component, "image", reference, image.sha256, size, platform=image.platform, index=index)
            self._found.blobs |= {**image.blobs, **image.index}

    def _add(self, component: str, kind: str, name: str, sha256: str, size: int, **more: str | None) -> None:
        said = {"component": component, "kind": kind, "name": name, "sha256": sha256, "bytes": size, **more}
        self._found.items.append(ContentItem.model_validate(said))


def _inside(folder: Path, name: str) -> Path:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise BadContent(f"the bundle holds no file {name}")
    return file


def _digest(file: Path) -> tuple[str, int]:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK):
            yield chunk
