"""Releases are uploaded and imported while operations wait for them; some cannot be published; others are deleted."""

import asyncio
import hashlib
from typing import Any

from shared.messages.catalog import DeleteRelease, ImportBundle
from shared.messages.deployer import RequestOperation
from tests.faults.strands import SOUND, Strand
from tests.support.file_source import FileSource, file_source

SITES = 4
NOT_A_BUNDLE = b"this is no archive"


async def play(strand: Strand) -> None:
    """Until the round ends."""
    await strand.register(SITES)
    await strand.each("apply", await strand.release())
    async with file_source(b"") as source:
        acts = _Acts(strand, source)
        await strand.go_on((acts.imported, acts.refused, acts.away, acts.uploaded, acts.deleted, acts.kept))


class _Acts:
    """What people do."""

    def __init__(self, strand: Strand, source: FileSource) -> None:
        self.strand = strand
        self.source = source

    async def imported(self) -> None:
        """All sites wait for what is being fetched, some before it has begun."""
        version = self._serve()
        publication, early, late = self.strand.new_id(), *self._halves()
        waiting = [await self._wait_for(site, publication) for site in early]
        await self._import(publication)
        waiting += [await self._wait_for(site, publication) for site in late]
        await self._ends(waiting)
        if self.strand.watch.settled[publication]["state"] == "available":
            await self.strand.each("update", version)  # who was refused meanwhile comes after

    async def refused(self) -> None:
        """Something is wrong with it: who waits for it is told so and stays as it is."""
        await self._in_vain(NOT_A_BUNDLE + str(self.strand.random.getrandbits(64)).encode(), 200)

    async def away(self) -> None:
        """It cannot be had."""
        await self._in_vain(b"", 404)

    async def uploaded(self) -> None:
        """A site waits for an upload under the id of its command."""
        strand, publication = self.strand, self.strand.new_id()
        version = strand.next_version()
        file = strand.client.pack(strand.app, version, strand.random, SOUND)
        waiting = await self._wait_for(strand.random.choice(strand.sites), publication)
        await strand.client.upload(file, publication)
        await self._settled(publication)
        await self._ends([waiting])
        await strand.each("update", version)

    async def deleted(self) -> None:
        """What no site ever had goes for good, and may come again with other content."""
        strand = self.strand
        version, publication = await strand.release(), strand.new_id()
        await self._delete(version)
        await strand.client.upload(strand.client.pack(strand.app, version, strand.random, SOUND), publication)
        if (await self._settled(publication))["state"] == "available":
            await strand.each("update", version)

    async def kept(self) -> None:
        """What runs is not deleted."""
        running = self.strand.runs(self.strand.sites[0])
        await self._delete(running or "1.0.0")

    # -- how ---------------------------------------------------------------------------------------------------

    def _serve(self) -> str:
        strand = self.strand
        version = strand.next_version()
        self.source.content = strand.client.pack(strand.app, version, strand.random, SOUND).read_bytes()
        self.source.status, self.source.etag = 200, f'"{version}"'
        return version

    def _halves(self) -> tuple[list[str], list[str]]:
        return self.strand.sites[::2], self.strand.sites[1::2]

    async def _in_vain(self, content: bytes, status: int) -> None:
        self.source.content, self.source.status, self.source.etag = content, status, f'"{self.strand.new_id()}"'
        publication = self.strand.new_id()
        waiting = [await self._wait_for(self.strand.random.choice(self.strand.sites), publication)]
        await self._import(publication)
        await self._ends(waiting)

    async def _import(self, publication: str) -> None:
        digest = hashlib.sha256(self.source.content).hexdigest() if self.source.status == 200 else None
        command = ImportBundle(source=self.source.url, sha256=digest)
        path = self.strand.random.choice(("", "/v1/publications"))
        await self.strand.client.ask(command, publication, path, command.model_dump(mode="json", exclude_none=True))
        await self._settled(publication)

    async def _settled(self, publication: str) -> dict[str, Any]:
        settled = self.strand.watch.settled
        return await self.strand.until(lambda: settled.get(publication), f"the end of publication {publication}")

    async def _wait_for(self, site: str, publication: str) -> str | None:
        command = RequestOperation.model_validate(
            {"site": site, "app": self.strand.app, "kind": "update", "publication": publication, "timeout_seconds": 120}
        )
        return await self.strand.ask(command, "/v1/operations", command.model_dump(mode="json", exclude_none=True))

    async def _ends(self, operations: list[str | None]) -> None:
        await asyncio.gather(*(self.strand.end(operation) for operation in operations if operation))

    async def _delete(self, version: str) -> None:
        """What came of it is told by the catalog; the checker reads it."""
        await self.strand.ask(DeleteRelease(app=self.strand.app, version=version, reason="not needed"))
        await asyncio.sleep(self.strand.random.uniform(0, 4))
