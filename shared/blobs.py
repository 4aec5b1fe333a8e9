"""The blob store: bundles by the sha256 of their content, in a local folder or in an object store by URL.

What has a digest for a name is whole: an upload is hashed while it goes to a name of its own and gets its digest as
name only at the end. A failed upload leaves nothing, a killed one leaves what `sweep` clears away. What comes from far
away comes in parts, so that whoever goes on after a kill, on whichever machine, fetches no more than one of them again.
"""

import asyncio
import errno
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.core.errors import BelayError
from shared.process.settings import Settings

CHUNK = 1 << 20
INCOMING = "incoming"
ABANDONED = timedelta(hours=24)
"""An upload that takes longer than this is taken for dead."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class UnknownBlob(BelayError):
    """No blob has this digest."""


class BlobTooLarge(BelayError):
    """More bytes came than the caller allowed."""


class WrongContent(BelayError):
    """What came is not what the digest stands for."""


class BlobStoreFailed(BelayError, OSError):
    """The store could not be reached, or could not write; the same call may succeed later."""


class NoRoom(BlobStoreFailed):
    """The disk of the store is full, or would be; the same call may succeed when there is room."""

    def __init__(self, free: int, needed: int | None = None) -> None:
        wanted = f"{needed} bytes are needed" if needed else "more is needed"
        super().__init__(f"there is no room in the blob store: {free} bytes are free, {wanted}")
        self.free = free
        self.errno = errno.ENOSPC


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies in the store under a digest: how many bytes, and since when, by the store's clock."""

    sha256: str
    size: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Blob:
    """What was stored: its digest, which is its name, and its size in bytes."""

    sha256: str
    size: int


class Blobs:
    """One blob store. Every method raises BlobStoreFailed when the store does not work."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder
        """Where a local store keeps its files; None for a remote one."""

    @classmethod
    def open(cls, settings: Settings) -> "Blobs":
        """The store that the settings name: by URL, or the folder `blobs` under the home."""
        if not settings.blobs:
            folder = settings.home.resolve() / "blobs"
            return cls(LocalStore(folder, mkdir=True), folder)
        store = from_url(settings.blobs)
        return cls(store, Path(store.prefix or "/") if isinstance(store, LocalStore) else None)

    async def put(self, chunks: AsyncIterator[bytes], limit: int, expected: str | None = None) -> Blob:
        """Store a stream.

        Raises BlobTooLarge beyond `limit` bytes, WrongContent when it is not what is expected, and what `chunks`
        raises; then nothing is kept.
        """
        draft = f"{INCOMING}/{uuid.uuid4().hex}"
        meter = _Meter(limit)
        with self._writing():
            await obstore.put_async(self._store, draft, meter.over(chunks), max_concurrency=4)
            try:
                return await self._name(draft, meter.blob, expected)
            except BaseException:
                await asyncio.shield(self._drop(draft))
                raise

    async def _name(self, draft: str, blob: Blob, expected: str | None) -> Blob:
        if expected not in (None, blob.sha256):
            raise WrongContent(f"{blob.size} bytes came that are not {expected}")
        name = _path(blob.sha256)
        if self._folder:
            await asyncio.to_thread(sync, self._folder / draft)
        await obstore.rename_async(self._store, draft, name)
        if self._folder:
            await asyncio.to_thread(sync, (self._folder / name).parent)
        return blob

    async def coming(self, sha256: str) -> int:
        """How many bytes of a blob lie here in parts, from its first one on."""
        parts = await self._parts(sha256)
        return sum(parts[-1][:2]) if parts else 0

    async def put_part(self, sha256: str, offset: int, content: bytes) -> None:
        """Keep a part of a blob that is not whole yet. Put again, it stays the same."""
        with self._writing():
            await obstore.put_async(self._store, f"{INCOMING}/{sha256}.{offset:016d}", content)

    async def must_have_room(self, whole: int, come: int = 0) -> None:
        """Raises NoRoom where a file of so many bytes, of which `come` lie here in parts, would find none.

        For a moment it lies here twice: in its parts, and as a whole.
        """
        free, needed = await self.free_bytes(), 2 * whole - come
        if free is not None and free < needed:
            raise NoRoom(free, needed)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A full disk is told as one, with what is free by then."""
        try:
            with _failures():
                yield
        except BlobStoreFailed as error:
            if not self._folder or "No space left" not in str(error):
                raise
            raise NoRoom(shutil.disk_usage(self._folder).free) from error

    async def join(self, sha256: str, size: int) -> None:
        """Make a blob of its parts, which are gone then.

        Raises WrongContent when they are not that content; then they are gone, too. They stay where there is no room.
        """
        await self.gather(sha256, size, expected=sha256)

    async def gather(self, name: str, limit: int, expected: str | None = None, *, keep: bool = False) -> Blob:
        """Make a blob of the parts that were put under any name like a digest: of what it is not known yet.

        `keep`: the parts stay until `drop_parts`. Raises as `join` does.
        """
        paths = [path for *_, path in await self._parts(name)]
        try:
            blob = await self.put(self._over(paths), limit, expected)
        except (BlobTooLarge, WrongContent) as error:
            await self._drop_all(paths)
            raise WrongContent(str(error)) from error
        if not keep:
            await self._drop_all(paths)
        return blob

    async def drop_parts(self, name: str, since: int = 0) -> None:
        """Forget the parts under this name, from that byte on."""
        with _failures():
            listed = [entry["path"] async for page in obstore.list(self._store, INCOMING) for entry in page]
        parts = [path for path in listed if path.startswith(f"{INCOMING}/{name}.")]
        await self._drop_all([path for path in parts if int(path.rpartition(".")[2]) >= since])

    async def _drop_all(self, paths: Sequence[str]) -> None:
        with _failures():
            await asyncio.gather(*map(self._drop, paths))

    async def _parts(self, sha256: str) -> list[tuple[int, int, str]]:
        """Offset, size and path of those that follow each other without a gap."""
        with _failures():
            listed = [entry async for page in obstore.list(self._store, INCOMING) for entry in page]
        named = sorted(
            (int(entry["path"].rpartition(".")[2]), entry["size"], entry["path"])
            for entry in listed
            if entry["path"].startswith(f"{INCOMING}/{sha256}.")
        )
        end, found = 0, []
        for offset, size, path in named:
            if offset == end:
                found.append((offset, size, path))
                end += size
        return found

    async def _over(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        for path in paths:
            answer = await obstore.get_async(self._store, path)
            async for chunk in answer.stream(CHUNK):
                yield bytes(chunk)

    async def find(self, sha256: str) -> Stored | None:
        """The blob of this digest; None when there is none."""
        if not _DIGEST.fullmatch(sha256):
            return None
        with _failures():
            try:
                found = await obstore.head_async(self._store, _path(sha256))
            except FileNotFoundError:
                return None
        return Stored(sha256, found["size"], found["last_modified"])

    async def size(self, sha256: str) -> int | None:
        """Size in bytes; None when there is no such blob."""
        found = await self.find(sha256)
        return found.size if found else None

    async def exists(self, sha256: str) -> bool:
        """Whether the blob is there, whole."""
        return await self.size(sha256) is not None

    async def stream(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in chunks of about 1 MiB. Raises UnknownBlob."""
        with _failures():
            try:
                answer = await obstore.get_async(self._store, _path(sha256))
            except FileNotFoundError as error:
                raise UnknownBlob(f"there is no blob {sha256}") from error
            async for chunk in answer.stream(CHUNK):
                yield bytes(chunk)

    async def read(self, sha256: str, start: int, count: int) -> bytes:
        """A part of the content: `count` bytes from `start` on, which the blob must have. Raises UnknownBlob."""
        with _failures():
            try:
                return bytes(await obstore.get_range_async(self._store, _path(sha256), start=start, length=count))
            except FileNotFoundError as error:
                raise UnknownBlob(f"there is no blob {sha256}") from error

    @asynccontextmanager
    async def as_file(self, sha256: str) -> AsyncIterator[Path]:
        """A file with the content, to be read only: the stored one itself, or a download that is gone afterwards.

        Raises UnknownBlob, and OSError when the disk is full.
        """
        if self._folder:
            if not await self.exists(sha256):
                raise UnknownBlob(f"there is no blob {sha256}")
            yield self._folder / _path(sha256)
            return
        with tempfile.TemporaryDirectory(prefix="belay-blob-") as folder:
            file = Path(folder) / sha256
            await self._download(sha256, file)
            yield file

    async def _download(self, sha256: str, target: Path) -> None:
        with target.open("wb") as file:
            async for chunk in self.stream(sha256):
                await asyncio.to_thread(file.write, chunk)

    async def delete(self, sha256: str, *, since: datetime | None = None) -> bool:
        """Remove a blob; one that is not there is removed already.

        With `since`, one that was stored later stays: somebody has uploaded the same content once more, and says so in
        a moment. Returns whether nothing is there any more.
        """
        if since is None or (found := await self.find(sha256)) is None:
            with _failures():
                await self._drop(_path(sha256))
            return True
        if found.since > since:
            return False
        if self._folder:
            return await asyncio.to_thread(_take_away, self._folder, _path(sha256), since)
        with _failures():  # a store elsewhere has no way to remove only what it was asked about: some milliseconds stay
            await self._drop(_path(sha256))
        return True

    async def inventory(self) -> AsyncIterator[list[Stored]]:
        """Everything that has a digest for a name, some thousands at a time; what is still coming in is left out."""
        with _failures():
            async for page in obstore.list(self._store, chunk_size=5_000):
                named = ((entry["path"].rpartition("/")[2], entry) for entry in page)
                yield [Stored(n, e["size"], e["last_modified"]) for n, e in named if _DIGEST.fullmatch(n)]

    async def free_bytes(self) -> int | None:
        """What is left on the disk of a local store; None for one elsewhere, which does not say."""
        if not self._folder:
            return None
        return (await asyncio.to_thread(shutil.disk_usage, self._folder)).free

    async def sweep(self, before: datetime | None = None) -> int:
        """Clear away uploads begun before `before` (a day ago) and never ended; returns how many.

        Parts of a broken upload to a remote store are invisible; there the bucket needs a rule that expires them.
        """
        limit = before or datetime.now(UTC) - ABANDONED
        if self._folder:
            return await asyncio.to_thread(_sweep, self._folder / INCOMING, limit.timestamp())
        with _failures():
            found = [entry async for page in obstore.list(self._store, INCOMING) for entry in page]
            old = [entry["path"] for entry in found if entry["last_modified"] < limit]
            await asyncio.gather(*(self._drop(path) for path in old))
        return len(old)

    async def sweep_for_ever(self) -> None:
        """Sweep now and once an hour, until cancelled; a store that is away is swept the next time."""
        while True:
            with suppress(OSError):
                await self.sweep()
            await asyncio.sleep(3600)

    async def _drop(self, path: str) -> None:
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return


class _Meter:
    """Hashes and counts a stream while it passes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hash = hashlib.sha256()
        self._size = 0

    async def over(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._size += len(chunk)
            if self._size > self._limit:
                raise BlobTooLarge(f"more than the {self._limit} bytes that are taken at most")
            self._hash.update(chunk)
            yield chunk

    @property
    def blob(self) -> Blob:
        return Blob(self._hash.hexdigest(), self._size)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise BlobStoreFailed(str(error).splitlines()[0]) from error


def _path(sha256: str) -> str:
    """Two levels, so that no folder grows too large. Raises UnknownBlob for what cannot be a digest."""
    if not _DIGEST.fullmatch(sha256):
        raise UnknownBlob(f"'{sha256[:80]}' is no sha256")
    return f"{sha256[:2]}/{sha256}"


def sync(path: Path) -> None:
    """A file or folder to disk, first the content and then the name: what a committed transaction says to be there
    must survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_away(folder: Path, name: str, since: datetime) -> bool:
    """Remove a file unless it is newer. It is moved aside first, for between a look and a deletion another may come."""
    aside = folder / INCOMING / uuid.uuid4().hex
    aside.parent.mkdir(exist_ok=True)
    try:
        (folder / name).rename(aside)
    except FileNotFoundError:
        return True
    seconds, nanoseconds = divmod(aside.stat().st_mtime_ns, 10**9)
    stored = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1000)  # cut as the store does
    if stored > since:
        aside.rename(folder / name)  # where the same content may lie by now; either is right
        return False
    aside.unlink()
    return True


def _sweep(folder: Path, before: float) -> int:
    old = [file for file in folder.glob("*") if file.stat().st_mtime < before]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)
