"""Content on a host: files of the bundle under their digests, and the names by which playbooks know them.

<folder>/<site>/<app>/<sha256>                  a whole file, verified
<folder>/<site>/<app>/.<sha256>.part            what arrived until now
<folder>/<site>/<app>/names/<sha256>/<name>     a link to it, since tools of a host go by how a file is called
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import asyncssh

from services.deployer.drivers import Item
from services.deployer.drivers.content import WHOLE, Damaged, FolderSink, Sink
from services.deployer.drivers.failed import Failed

NAMES = "names"


class HostContent(Sink, Protocol):
    """The content of one app of a site on one of its hosts."""

    async def name(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Where each lies, by its name in the bundle; all of them are whole."""
        ...

    async def discard(self, items: Sequence[Item]) -> int:
        """Let items go, also those that came only in part; returns how many lay there."""
        ...


def place_of(site: str, app: str) -> str:
    """The folder of an app's content on a host, which other sites may have theirs on."""
    return str(PurePosixPath(_plain(site), _plain(app)))


def _plain(name: str) -> str:
    return name if name not in (".", "..") and "/" not in name else hashlib.sha256(name.encode()).hexdigest()


class LocalContent(FolderSink):
    """On this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._names = folder / NAMES

    async def name(self, items: Sequence[Item]) -> Mapping[str, str]:
        """As HostContent.name. Raises OSError."""
        return await asyncio.to_thread(lambda: {item.name: str(self._link(item)) for item in items})

    async def discard(self, items: Sequence[Item]) -> int:
        """As HostContent.discard."""
        await asyncio.to_thread(self._unlink, items)
        return await super().discard(items)

    def _link(self, item: Item) -> Path:
        link = self._names / item.sha256 / PurePosixPath(item.name).name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(self.path(item.sha256))
        return link

    def _unlink(self, items: Sequence[Item]) -> None:
        for item in items:
            shutil.rmtree(self._names / item.sha256, ignore_errors=True)


READ_BACK = 1 << 18
FULL = (asyncssh.SFTPFailure, asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
LITTLE = 1 << 16
NOT_THERE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class SftpContent:
    """On a host by SSH: a session's own, which is closed with it."""

    def __init__(self, session: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient, folder: str) -> None:
        self._session = session
        self._sftp = sftp
        self._folder = folder
        self._open: dict[str, asyncssh.SFTPClientFile] = {}

    async def offsets(self, items: Sequence[Item]) -> Sequence[int]:
        """As Sink.offsets. A file under its digest was verified when it came."""
        await self._sftp.makedirs(f"{self._folder}/{NAMES}", exist_ok=True)
        return await asyncio.gather(*map(self._offset, items))

    async def _offset(self, item: Item) -> int:
        if await self._size(self._whole(item)) == item.bytes:
            return WHOLE
        return min(await self._size(self._part(item)) or 0, item.bytes)

    async def append(self, item: Item, offset: int, chunk: bytes) -> None:
        """As Sink.append."""
        file = self._open.get(item.sha256)
        if file is None:
            file = await self._sftp.open(self._part(item), asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None)
            self._open[item.sha256] = file
        try:
            await file.write(chunk, offset)
            await _synced(file)
        except FULL as error:
            free = await self.free_bytes()  # the words that most servers have for it are those for anything else
            if free is not None and free < max(len(chunk), LITTLE):
                raise Failed("disk_full", f"{free} bytes are left in {self._folder} on the host: {error}") from None
            raise

    async def finish(self, item: Item) -> None:
        """As Sink.finish: the host reckons the digest itself where it can, so that nothing is read back."""
        if not item.bytes:
            await self.append(item, 0, b"")
        if file := self._open.pop(item.sha256, None):
            await file.close()
        try:
            await self._appear(item)
        except NOT_THERE as error:
            if await self._size(self._whole(item)) != item.bytes:  # else another deployer was faster
                raise Damaged(f"{item.name} is gone from the host") from error

    async def _appear(self, item: Item) -> None:
        part = self._part(item)
        digest = await self._digest(part)
        if digest != item.sha256:
            await self._remove(part)
            raise Damaged(f"{item.name} arrived with another content: {digest} instead of {item.sha256}")
        await self._sftp.posix_rename(part, self._whole(item))

    async def name(self, items: Sequence[Item]) -> Mapping[str, str]:
        """As HostContent.name."""
        links = await asyncio.gather(*map(self._link, items))
        return {item.name: link for item, link in zip(items, links, strict=True)}

    async def discard(self, items: Sequence[Item]) -> int:
        """As HostContent.discard."""
        return sum(await asyncio.gather(*map(self._discard, items)))

    async def free_bytes(self) -> int | None:
        """What is left where the folder is, for the user; None = the host does not say."""
        try:
            room = await self._sftp.statvfs(self._folder)
        except asyncssh.SFTPError:
            return None
        return room.bavail * room.frsize

    def _whole(self, item: Item) -> str:
        return f"{self._folder}/{item.sha256}"

    def _part(self, item: Item) -> str:
        return f"{self._folder}/.{item.sha256}.part"

    async def _size(self, path: str) -> int | None:
        try:
            return (await self._sftp.stat(path)).size
        except NOT_THERE:
            return None

    async def _link(self, item: Item) -> str:
        folder = f"{self._folder}/{NAMES}/{item.sha256}"
        link = f"{folder}/{PurePosixPath(item.name).name}"
        if not await self._sftp.lexists(link):
            await self._sftp.makedirs(folder, exist_ok=True)
            try:
                await self._sftp.symlink(self._whole(item), link)
            except asyncssh.SFTPError:
                if not await self._sftp.lexists(link):  # else another deployer was faster
                    raise
        return link

    async def _discard(self, item: Item) -> bool:
        folder = f"{self._folder}/{NAMES}/{item.sha256}"
        if await self._sftp.lexists(folder):
            await self._sftp.rmtree(folder, ignore_errors=True)
        gone = [await self._remove(path) for path in (self._whole(item), self._part(item))]
        return any(gone)

    async def _remove(self, path: str) -> bool:
        try:
            await self._sftp.remove(path)
        except NOT_THERE:
            return False
        return True

    async def _digest(self, path: str) -> str:
        try:
            said = await self._session.run(f"sha256sum < {shlex.quote(path)}", check=True)
        except (asyncssh.ProcessError, asyncssh.ChannelOpenError):  # a user who may only exchange files, say
            return await self._digest_read_back(path)
        return str(said.stdout).split(maxsplit=1)[0]

    async def _digest_read_back(self, path: str) -> str:
        digest = hashlib.sha256()
        async with self._sftp.open(path, asyncssh.FXF_READ, encoding=None) as file:
            while piece := await file.read(READ_BACK):
                digest.update(piece if isinstance(piece, bytes) else piece.encode())
        return digest.hexdigest()


async def _synced(file: asyncssh.SFTPClientFile) -> None:
    """A host whose server cannot be told to write to its disk does so when it likes; the digest is the proof."""
    try:
        await file.fsync()
    except asyncssh.SFTPOpUnsupported:
        return
