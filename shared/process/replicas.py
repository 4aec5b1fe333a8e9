"""Every replica that left a note of its address under the home: is it ready, how far behind is it, what is wrong?

Also told of are replicas that never came so far as to answer, or do so no more: by the file of their runs (runs.py).
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from shared.process.health import Finding, restarts
from shared.process.runs import ends_in, path_of, stopped_in_order

SECONDS = 1.0


async def ask_all(home: Path) -> list[dict[str, Any]]:
    """One row a replica, by service and instance; those that do not answer say so in `error`.

    A row has service, instance, url, version, ready, parts (name -> works), findings, lag, outbox, refused, error.
    """
    notes = sorted(_notes(home / "run"), key=lambda note: (note["service"], note["instance"]))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as http:
        return list(await asyncio.gather(*(_ask(http, note, home) for note in notes)))


def _notes(run: Path) -> list[dict[str, Any]]:
    noted = {(note["service"], note["instance"]): note for path in run.glob("*.json") if (note := _note(path))}
    for path in run.glob("*.runs"):
        service, _, instance = path.stem.partition("-")
        if not stopped_in_order(path):
            noted.setdefault((service, instance), {"service": service, "instance": instance, "url": ""})
    return list(noted.values())


def _note(path: Path) -> dict[str, Any] | None:
    """None for a note that is just being written, or is none of ours."""
    try:
        facts = json.loads(path.read_text())
        return {"service": facts["service"], "instance": facts["instance"], "url": facts["url"]} | {
            "version": facts.get("version")
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _ask(http: aiohttp.ClientSession, note: dict[str, Any], home: Path) -> dict[str, Any]:
    if not note["url"]:
        return _silent(note, home, "it has not come so far as to answer")
    try:
        async with http.get(f"{note['url']}/readyz") as answer:
            parts, findings = _told_by(await answer.json())
            ready = answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return _silent(note, home, f"no answer: {type(error).__name__}")
    return {**note, "ready": ready, "findings": findings, "parts": parts, **await _figures(http, note["url"])}


async def _figures(http: aiohttp.ClientSession, url: str) -> dict[str, int | None]:
    """Where its database is away it has none, but says what is wrong all the same."""
    try:
        async with http.get(f"{url}/metrics") as answer:
            return figures_in(await answer.text())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return figures_in("")


def _told_by(answer: Any) -> tuple[dict[str, bool], list[dict[str, Any]]]:
    """Parts and findings. Raises ValueError for what no replica says: its port may be another program's by now."""
    parts: dict[str, Any] = dict(answer) if isinstance(answer, dict) else {"": None}
    findings = parts.pop("findings", [])
    if not isinstance(findings, list) or not all(isinstance(works, bool) for works in parts.values()):
        raise ValueError("this is not how a replica answers")
    for finding in findings:
        Finding.model_validate(finding, extra="ignore")
    return parts, [{"advice": "", **finding} for finding in findings]


def _silent(note: dict[str, Any], home: Path, error: str) -> dict[str, Any]:
    """A replica that cannot speak for itself: its file tells how it ended."""
    name = f"{note['service']}-{note['instance']}"
    ends = ends_in(path_of(home, note["service"], note["instance"]))
    last = f"; its last end: {ends[-1].cause}" if ends else ""
    found = [_told(finding) for finding in restarts(name, ends, datetime.now(UTC))]
    return {**note, "ready": False, "error": f"{error}{last}", "findings": found}


def _told(finding: Finding) -> dict[str, Any]:
    return finding.model_dump(mode="json") | {"advice": finding.advice}


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
