"""What a replica says of itself over HTTP: whether it is ready, and its figures."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from shared.process.telemetry import note_of
from tests.support.patience import patience

PATIENCE = 60.0
"""Seconds within which a replica has joined, also on a busy machine."""


def address(home: Path, service: str, instance: str) -> str | None:
    """Where a replica answers, once it says so."""
    try:
        return str(json.loads(note_of(home, service, instance).read_text())["url"])
    except (FileNotFoundError, ValueError):  # not there, or just being written
        return None


async def until_ready(home: Path, service: str, *instances: str) -> None:
    """Until each of these replicas says that it is ready. Readiness is asked for, nobody tells it."""
    async with patience(PATIENCE), aiohttp.ClientSession() as http:
        for instance in instances:
            while not await is_ready(http, address(home, service, instance)):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def is_ready(http: aiohttp.ClientSession, url: str | None) -> bool:
    try:
        async with http.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:  # not yet, or no longer
        return False


async def figures(url: str) -> dict[str, float]:
    """The sum of each metric over its labels."""
    found: dict[str, float] = {}
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        text = await answer.text()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def until_figures(url: str, hold: Callable[[dict[str, float]], bool]) -> None:
    """Until the figures are so. They are asked for, nobody tells them."""
    async with patience(PATIENCE):
        while not hold(await figures(url)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
