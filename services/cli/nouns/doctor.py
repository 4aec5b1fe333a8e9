"""`belay doctor`: what is wrong here, and what to do about it."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from services.cli.errors import CliError, Status
from services.cli.screen import Column, size
from services.cli.session import Session

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
    from shared.embedded import stack
    from shared.embedded.home import Home

    statuses = stack.statuses(Home.open(home)) if home.exists() else []
    if not statuses:
        yield _found("processes", False, f"nothing runs in {home}", "start Belay with `belay up`")
    for one in statuses:
        advice = f"read {home / 'logs' / one.name}.log; the supervisor tries again by itself"
        yield _found(one.name, one.state == "RUNNING", f"{one.state}, up for {one.uptime:.0f} s", advice)


def _services(home: Path) -> Iterator[Finding]:
    """Each replica that left a note of its address: ready, not far behind, and with nothing wrong."""
    from shared.process.replicas import ask_all

    for row in ask_all(home):
        yield from _replica(row, home)


def _replica(row: dict[str, Any], home: Path) -> Iterator[Finding]:
    name = f"{row['service']}-{row['instance']}"
    if "error" in row:
        yield _found(
            f"{name} ready", False, f"{row['url']}: {row['error']}".lstrip(": "), f"read {home}/logs/{name}.log"
        )
    else:
        missing = [part for part, well in row["parts"].items() if not well]
        advice = f"without {', '.join(missing)} it waits; see whether that runs"
        yield _found(f"{name} ready", not missing, row["url"], advice)
        refused = row["refused"] or 0
        again = "where it runs: `python -m shared.refused list`, then `replay` once its topic takes them, or `drop`"
        yield _found(f"{name} refused", not refused, f"{refused} records that Kafka refused for good", again)
        behind = "give it a second replica: `belay up --replicas`, or look at its log"
        yield _found(f"{name} lag", *_lag(row), behind)
    for wrong in row["findings"]:
        check = f"{name} {wrong['code'].replace('_', ' ')}"
        yield _found(check, False, wrong["message"], wrong["advice"] or f"read {home}/logs/{name}.log")


def _lag(row: dict[str, Any]) -> tuple[bool, str]:
    lag, outbox = row["lag"] or 0, row["outbox"] or 0
    return max(lag, outbox) < MUCH_LAG, f"{lag} records to read, {outbox} to send"


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
        f"{size(store['used_bytes'] - store['prepared_bytes'])} in {store['bundles']}, "
        f"{size(store['prepared_bytes'])} prepared for sites; {size(store['reclaimable_bytes'])} needed by nobody, "
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
