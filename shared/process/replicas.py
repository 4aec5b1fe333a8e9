"""Every replica that left a note of its address under the home: is it ready, how far behind is it, what is wrong?

Also told of are replicas that never came so far as to answer, or do so no more: by the file of their runs (runs.py).

`belay doctor` asks here too: an HTTP client of more than the standard library's would cost it more than all the rest.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared.process.health import Finding, restarts
from shared.process.runs import ends_in, path_of, stopped_in_order

SECONDS = 1.0
AT_ONCE = 32


def ask_all(home: Path) -> list[dict[str, Any]]:
    """One row a replica, by service and instance; those that do not answer say so in `error`. Blocks for their answers.

    A row has service, instance, url, version, ready, parts (name -> works), findings, lag, outbox, refused, error.
    """
    notes = sorted(_notes(home / "run"), key=lambda note: (note["service"], note["instance"]))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(partial(_ask, home), notes))


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


def _ask(home: Path, note: dict[str, Any]) -> dict[str, Any]:
    if not note["url"]:
        return _silent(note, home, "it has not come so far as to answer")
    try:
        with _connection(note["url"]) as http:
            status, body = _get(http, "/readyz")
            parts, findings = _told_by(json.loads(body))
            return {**note, "ready": status == 200, "findings": findings, "parts": parts, **_figures(http)}
    except (HTTPException, OSError, ValueError) as error:
        return _silent(note, home, f"no answer: {type(error).__name__}")


def _figures(http: HTTPConnection) -> dict[str, int | None]:
    """Where its database is away it has none, but says what is wrong all the same."""
    try:
        return figures_in(_get(http, "/metrics")[1].decode())
    except (HTTPException, OSError, ValueError):
        return figures_in("")


@contextmanager
def _connection(url: str) -> Iterator[HTTPConnection]:
    """Straight to the replica: a proxy of the machine is for what lies outside of it. Raises ValueError."""
    parts = urlsplit(url)
    http = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        yield http
    finally:
        http.close()


def _get(http: HTTPConnection, path: str) -> tuple[int, bytes]:
    http.request("GET", path)
    answer = http.getresponse()
    return answer.status, answer.read()


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
    for line in metrics.splitlines():  # of our own replicas, which tell no time after the value
        name, _, value = line.rpartition(" ")
        if not line.startswith("#") and name:
            metric = name.partition("{")[0]
            found[metric] = found.get(metric, 0) + float(value)
    names = {"lag": "belay_consumer_lag", "outbox": "belay_outbox_depth", "refused": "belay_records_refused"}
    named = {name: found.get(metric) for name, metric in names.items()}
    return {name: None if value is None else int(value) for name, value in named.items()}
