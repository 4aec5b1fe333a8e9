"""A part of an upload as it comes in: kept in the blob store as far as it comes, by one client at a time.

Where the upload stands is what lies in the store, and nothing else: after a kill the client asks, and goes on there.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from services.gateway.gateway import Gateway
from services.gateway.http.problems import Problem
from services.gateway.http.uploads import GZIP
from services.gateway.resources.uploads import store
from services.gateway.resources.uploads.metadata import OFFSET, RESUMABLE, VERSION
from services.gateway.resources.uploads.store import Upload
from shared.blobs import Blob, NoRoom, WrongContent
from shared.wire.codec import new_id

PART = 4 << 20
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 8.0


def parts_of(upload: Upload) -> str:
    """The name that its parts lie under."""
    return hashlib.sha256(upload.id.encode()).hexdigest()


class Writer:
    """The one that writes an upload, while it does."""

    def __init__(self, gateway: Gateway, upload: Upload) -> None:
        self._gateway = gateway
        self._upload = upload
        self._id = new_id()
        self._renewed = 0.0

    async def take_up(self) -> None:
        """Raises Problem 409 while somebody else writes."""
        async with self._gateway.pool.acquire() as conn:
            self._must_be_ours(await store.take_up(conn, self._upload.id, self._id, datetime.now(UTC), LEASE))

    async def write_on(self) -> None:
        """Raises Problem 409 when somebody else has taken it over meanwhile."""
        if time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._must_be_ours(await self._still_ours())

    async def _still_ours(self) -> bool:
        async with self._gateway.pool.acquire() as conn:
            return await store.write_on(conn, self._upload.id, self._id, datetime.now(UTC) + LEASE)

    def _must_be_ours(self, ours: bool) -> None:
        if not ours:
            seconds = int(LEASE.total_seconds())
            message = f"another client is sending this upload; it has ended, or is silent, within {seconds} s"
            raise Problem(409, "upload_busy", message, headers={"Retry-After": "5"})
        self._renewed = time.monotonic()

    async def holds(self) -> bool:
        """Whether nobody has taken it over while nothing came; where that cannot be said, somebody may have."""
        try:
            return await self._still_ours()
        except Exception:  # noqa: BLE001 - what came is sent again
            return False

    async def lay_down(self) -> None:
        """Let the next one write."""
        async with self._gateway.pool.acquire() as conn:
            await store.lay_down(conn, self._upload.id, self._id)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Stay the one that writes, while something long is done."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                await self.write_on()

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)


@asynccontextmanager
async def writing(gateway: Gateway, upload: Upload) -> AsyncIterator[Writer]:
    """Be the one that writes. Raises Problem 409."""
    writer = Writer(gateway, upload)
    await writer.take_up()
    try:
        yield writer
    finally:
        await asyncio.shield(writer.lay_down())


async def receive(
    gateway: Gateway, upload: Upload, writer: Writer, offset: int, chunks: AsyncIterator[bytes]
) -> tuple[int, bytes]:
    """Keep what comes from `offset` on; where it ends, and the sha256 of what came.

    What came before a break is kept. Raises Problem for more bytes than were announced, and for what is no bundle.
    """
    gathered, digest = bytearray(), hashlib.sha256()
    try:
        async for chunk in chunks:
            gathered += chunk
            digest.update(chunk)
            _check(upload, offset, gathered)
            await writer.write_on()
            if len(gathered) >= PART:
                offset = await _keep(gateway, upload, offset, gathered)
    except (Problem, NoRoom):
        gathered.clear()
        raise
    finally:
        offset = await asyncio.shield(_keep_if_ours(gateway, upload, writer, offset, gathered))
    return offset, digest.digest()


async def _keep_if_ours(gateway: Gateway, upload: Upload, writer: Writer, offset: int, gathered: bytearray) -> int:
    """A connection may stand still until somebody else goes on with the upload, from here on, and break only then."""
    return await _keep(gateway, upload, offset, gathered) if gathered and await writer.holds() else offset


@asynccontextmanager
async def telling_of_a_full_disk(gateway: Gateway, upload: Upload) -> AsyncIterator[None]:
    """What fills in the middle is told with what is free and what the rest of the file needs, and where to go on."""
    try:
        yield
    except NoRoom as error:
        come = await gateway.blobs.coming(parts_of(upload))
        short = NoRoom(error.free, 2 * upload.bytes - come)
        detail = f"{short}; {come} bytes of the upload are kept, and it goes on there when there is room"
        headers = {OFFSET: str(come), RESUMABLE: VERSION, "Retry-After": "60"}
        raise Problem(507, "disk_full", detail, headers=headers) from error


def _check(upload: Upload, offset: int, gathered: bytearray) -> None:
    if offset + len(gathered) > upload.bytes:
        raise Problem.because("wrong_size", f"more came than the {upload.bytes} bytes that were announced", "")
    if offset == 0 and len(gathered) >= len(GZIP) and not gathered.startswith(GZIP):
        raise Problem.because("not_gzip", "the file is not compressed with gzip; a bundle is a .tar.gz")


async def _keep(gateway: Gateway, upload: Upload, offset: int, gathered: bytearray) -> int:
    if not gathered or (offset == 0 and len(gathered) < len(GZIP)):
        return offset
    await gateway.blobs.put_part(parts_of(upload), offset, bytes(gathered))
    end = offset + len(gathered)
    gathered.clear()
    return end


async def finish(gateway: Gateway, upload: Upload) -> Blob:
    """Make the blob of all its parts, which stay until it is known to be complete.

    Raises Problem when it is not what was announced; then it is forgotten.
    """
    come = await gateway.blobs.coming(parts_of(upload))
    if come < upload.bytes:  # two clients wrote at once
        headers = {OFFSET: str(come), RESUMABLE: VERSION}
        raise Problem(409, "wrong_offset", f"the upload is at byte {come}; go on from there", headers=headers)
    try:
        return await gateway.blobs.gather(parts_of(upload), upload.bytes, upload.sha256, keep=True)
    except WrongContent as error:
        async with gateway.pool.acquire() as conn:
            await store.delete(conn, upload.id)
        message = f"what came is not the file that was announced ({error}); it was changed on the way, or meanwhile"
        raise Problem.because("wrong_digest", f"{message}: begin anew", "sha256", upload.sha256) from error
