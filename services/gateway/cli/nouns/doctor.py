"""`belay doctor`: what is wrong here, and what to do about it."""

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import typer
from prometheus_client.parser import text_string_to_metric_families

from services.gateway.cli.outcome import CliError, Status
from services.gateway.cli.screen import Column, size
from services.gateway.cli.session import Session
from shared.embedded import stack
from shared.embedded.home import Home

COLUMNS: tuple[Column, ...] = ("check", "finding", "detail", ("what to do", "advice"))

LEAST_DISK = 2 * 2**30
"""Bytes. Kafka stops for good when its disk is full."""

MUCH_LAG = 100_000
"""Records: 20 s of the busiest roll-out; more means that a consumer does not keep up."""

Finding = dict[str, Any]


def doctor(session: Session) -> None:
    """Look for trouble: disk, processes, readiness and lag of each service, gateway, token. Exit status 1 if any."""
    here = (*_machine(session.home), *_processes(session.home), *_services(session.home))
    findings = [*here, *_gateway(session), *_storage(session)]
    session.screen.table(findings, COLUMNS, "nothing to check")
    if any(one["finding"] != "ok" for one in findings):
        raise typer.Exit(Status.FAILED)


def _found(check: str, ok: bool, detail: str, advice: str) -> Finding:
    return {"check": check, "finding": "ok" if ok else "wrong", "detail": detail, "advice": "" if ok else advice}


def _machine(home: Path) -> Iterator[Finding]:
    detail = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield _found("machine", True, detail, "")
    place = next(folder for folder in (home, *home.resolve().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    yield _found("disk", free > LEAST_DISK, f"{free / 2**30:.1f} GiB free for {home}", "make room: at least 2 GiB")


def _processes(home: Path) -> Iterator[Finding]:
    statuses = stack.statuses(Home.open(home)) if home.exists() else []
    if not statuses:
        yield _found("processes", False, f"nothing runs in {home}", "start Belay with `belay up`")
    for one in statuses:
        advice = f"read {home / 'logs' / one.name}.log; the supervisor tries again by itself"
        yield _found(one.name, one.state == "RUNNING", f"{one.state}, up for {one.uptime:.0f} s", advice)


def _services(home: Path) -> Iterator[Finding]:
    """Each replica that left a note of its address: ready, and not far behind."""
    for note in sorted((home / "run").glob("*.json")):
        try:
            where = json.loads(note.read_text())
            name, url = f"{where['service']}-{where['instance']}", where["url"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not such a note, or one being written just now
        yield from _replica(name, url, home)


def _replica(name: str, url: str, home: Path) -> Iterator[Finding]:
    check = f"{name} ready"
    try:
        with httpx.Client(base_url=url, timeout=5, trust_env=False) as http:
            parts, metrics = http.get("/readyz"), http.get("/metrics").text
    except httpx.TransportError as error:
        yield _found(check, False, f"{url}: {error}", f"read {home / 'logs' / name}.log")
        return
    missing = [part for part, well in parts.json().items() if not well]
    advice = f"without {', '.join(missing)} it waits; see whether that runs"
    yield _found(check, not missing, url, advice)
    refused = _figure(metrics, "belay_records_refused")
    advice = "where it runs: `python -m shared.refused list`, then `replay` once its topic takes them, or `drop`"
    yield _found(f"{name} refused", not refused, f"{refused:.0f} records that Kafka refused for good", advice)
    yield _found(f"{name} lag", *_lag(metrics), "give it a second replica: `belay up --replicas`, or look at its log")


def _lag(metrics: str) -> tuple[bool, str]:
    lag, outbox = (_figure(metrics, name) for name in ("belay_consumer_lag", "belay_outbox_depth"))
    return max(lag, outbox) < MUCH_LAG, f"{lag:.0f} records to read, {outbox:.0f} to send"


def _figure(metrics: str, name: str) -> float:
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    return sum(sample.value for sample in families[name].samples) if name in families else 0.0


def _storage(session: Session) -> Iterator[Finding]:
    """How much the bundles take; nothing while no gateway answers, which is said elsewhere."""
    try:
        store = session.get("/v1/storage")
    except CliError:
        return
    if store["used_bytes"] is None:
        yield _found("bundles", True, f"not measured yet; at most {size(store['limit_bytes'])} each", "")
        return
    free = store["free_bytes"]
    detail = (
        f"{size(store['used_bytes'])} in {store['bundles']}; {size(store['reclaimable_bytes'])} needed by nobody, "
        f"{size(store['withdrawn_bytes'])} of withdrawn releases; {'unknown' if free is None else size(free)} free"
    )
    advice = f"make room: a bundle may have {size(store['limit_bytes'])}; withdraw releases that no site needs"
    yield _found("bundles", free is None or free > store["limit_bytes"], detail, advice)


def _gateway(session: Session) -> Iterator[Finding]:
    try:
        me = session.get("/v1/me")
    except CliError as error:
        yield _found("token", False, error.message, error.advice)
    else:
        yield _found("token", True, f"{me['name']} may act as {me['role']} at {session.url}", "")
