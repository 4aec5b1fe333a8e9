"""Waiting for rows: nothing announces them, so they are asked for again and again."""

import asyncio

from shared.process.service import Service
from tests.support.patience import patience


async def come_true(service: Service, query: str) -> None:
    """Until the query answers true, for at most 20 seconds."""
    async with patience(20):
        while not await service.pool.fetchval(query):  # noqa: ASYNC110 - a row rings no bell
            await asyncio.sleep(0.02)
