"""Bundles that lie at an address: their parts are kept as they come, so that whoever goes on asks for what follows."""

from services.catalog.publication import store
from services.catalog.publication.domain import Import
from services.catalog.publication.fetching import Answer, Rules, SourceAway, asked
from services.catalog.publication.receiving import GZIP, Receiving, Told, not_gzip, parts_of
from shared.blobs import Blob
from shared.core.transaction import Job
from shared.downloads.registry import PART


class ByAddress:
    """Fetches over HTTP."""

    def __init__(self, receiving: Receiving, rules: Rules) -> None:
        self._receiving = receiving
        self._blobs = receiving.blobs
        self._rules = rules

    async def fetch(self, job: Job, wanted: Import) -> Blob:
        """Have it here: what came at an earlier try is not asked for again."""
        name = parts_of(job)
        offset = await self._blobs.coming(name)
        async with asked(wanted.source, offset, wanted.validator, self._rules) as answer:
            if answer.offset < offset:
                await self._blobs.drop_parts(name)  # it is another file by now, or comes only as a whole
            async with self._receiving.ledger.pool.acquire() as conn:
                await store.note_answer(conn, job.id, answer)
            await self._receiving.must_have_room(answer.total, answer.offset)
            end = await self._take(name, answer, self._receiving.teller(job, answer.total))
        if answer.total is not None and end < answer.total:
            raise SourceAway(f"its answer broke off after {end} of {answer.total} bytes")
        return await self._blobs.gather(name, self._receiving.limit, wanted.sha256)

    async def _take(self, name: str, answer: Answer, told: Told) -> int:
        """Keep what comes, part by part; what came before a break is kept too. Returns where it ends."""
        offset, gathered = answer.offset, bytearray()
        try:
            async for piece in answer.chunks:
                gathered += piece
                if offset + len(gathered) >= len(GZIP) > offset and not gathered.startswith(GZIP):
                    raise not_gzip("not compressed with gzip")
                self._receiving.must_fit(offset + len(gathered))
                if len(gathered) >= PART:
                    offset = await self._keep(name, offset, gathered)
                    await told(offset)
        finally:
            offset = await self._keep(name, offset, gathered)
        await told(offset)
        if offset == 0:
            raise not_gzip("empty")
        return offset

    async def _keep(self, name: str, offset: int, gathered: bytearray) -> int:
        if not gathered or not (offset or gathered.startswith(GZIP)):
            return offset
        await self._blobs.put_part(name, offset, bytes(gathered))
        end = offset + len(gathered)
        gathered.clear()
        return end
