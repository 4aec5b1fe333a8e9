"""A replica says that it is ready when it has its share of the work, be it none."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from shared.telemetry import note_of
from tests.service.core.counter import wire
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"


async def test_of_two_replicas_that_share_one_partition_both_are_ready(world: World) -> None:
    async with world.run(NAME, wire, "1"), world.run(NAME, wire, "2"), aiohttp.ClientSession() as http:
        for instance in ("1", "2"):
            await ready(http, note_of(world.home, NAME, instance))


async def ready(http: aiohttp.ClientSession, note: Path) -> None:
    async with asyncio.timeout(30):
        # Readiness is asked for, nobody tells it.
        while (url := address(note)) is None or (await http.get(f"{url}/readyz")).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def address(note: Path) -> str | None:
    """Where a replica answers, once it says so."""
    return str(json.loads(note.read_text())["url"]) if note.exists() else None
