"""Every replica that left a note of its address under the home: is it ready, how far behind is it?"""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

SECONDS = 1.0


async def ask_all(home: Path) -> list[dict[str, Any]]:
    """One row a replica, by service and instance; those that do not answer say so in `error`."""
    notes = sorted(filter(None, map(_note, (home / "run").glob("*.json"))), key=lambda n: (n["service"], n["instance"]))
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return list(await asyncio.gather(*(_ask(http, note) for note in notes)))


def _note(path: Path) -> dict[str, Any] | None:
    """None for a note that is just being written, or is none of ours."""
    try:
        facts = json.loads(path.read_text())
        return {"service": facts["service"], "instance": facts["instance"], "url": facts["url"]} | {
            "version": facts.get("version")
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _ask(http: aiohttp.ClientSession, note: dict[str, Any]) -> dict[str, Any]:
    try:
        async with http.get(f"{note['url']}/readyz") as answer:
            parts = await answer.json()
            ready = answer.status == 200
        async with http.get(f"{note['url']}/metrics") as answer:
            figures = figures_in(await answer.text())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return {**note, "ready": False, "error": f"no answer: {type(error).__name__}"}
    return {**note, "ready": ready, "parts": parts, **figures}


def figures_in(metrics: str) -> dict[str, int | None]:
    """Lag (records not yet handled, all partitions together), outbox depth, and how many records Kafka refused.

    None where there is no such figure.
    """
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    names = {"lag": "belay_consumer_lag", "outbox": "belay_outbox_depth", "refused": "belay_records_refused"}
    named = {name: found.get(metric) for name, metric in names.items()}
    return {name: None if value is None else int(value) for name, value in named.items()}
