"""Every app at once: updated, taken back, applied again where an event asks for that."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from aiohttp import web

from services.gateway.commands.ask import Answer
from services.gateway.domain import Role
from services.gateway.doors.call import Route
from services.gateway.doors.errors import Refused
from services.gateway.doors.fields import shown
from services.gateway.doors.sysinv import store, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.refusing import told
from services.gateway.doors.sysinv.sending import nothing
from shared.messages import triggers
from shared.messages.base import Command, Fault
from shared.messages.deployer import ReapplyApp, RequestAll
from shared.messages.rules import MOST_RULES

AT_ONCE = 100
"""Sites of one command, and commands that are asked at the same time."""

STATUSES = {"running": "in_progress", "stopping": "in_progress", "done": "completed"}
"""Of a run; any other is `failed`."""

LONGEST = 200
"""Characters of a name or value of an event that a filter may ask for."""

TRIGGERED = "Evaluation triggered successfully"


async def update_all(call: Call) -> web.Response:
    """POST /v1/apps/update_all."""
    return await _run(call, "update")


async def rollback_all(call: Call) -> web.Response:
    """POST /v1/apps/rollback_all_apps."""
    return await _run(call, "rollback")


async def _run(call: Call, kind: Literal["update", "rollback"]) -> web.Response:
    """One run a site. Raises Refused 400 where none began."""
    async with call.gateway.pool.acquire() as conn:
        sites = await call.sites_in(conn)
    answers = await _asked(call, [RequestAll(site=site, kind=kind, on_failure="go_on") for site in sites])
    if not any(answer.state == "accepted" for answer in answers):
        faults: list[Fault] = [fault for answer in answers for fault in answer.faults]
        raise Refused(400, *(dict.fromkeys(told(faults)) if faults else ["there is no site to do it on"]))
    return nothing(200)


async def _asked(call: Call, commands: Sequence[Command]) -> list[Answer]:
    """The answers to all, some asked at a time."""
    answers: list[Answer] = []
    for start in range(0, len(commands), AT_ONCE):
        answers += await asyncio.gather(*map(call.ask, commands[start : start + AT_ONCE]))
    return answers


async def update_status(call: Call) -> dict[str, Any] | None:
    """GET /v1/apps/get_apps_update_status: of the last run of each site; null where there was none."""
    async with call.gateway.pool.acquire() as conn:
        runs = await store.last_runs(conn, await call.sites_in(conn))
    if not runs:
        return None
    states = {STATUSES.get(run["state"], "failed") for run in runs}
    status = next(state for state in ("in_progress", "failed", "completed") if state in states)
    items = [item for run in runs for item in run["items"]]
    failed = {item["app"] for item in items if item["state"] == "failed"}
    updated = {item["app"] for item in items if item["state"] == "updated"} - failed
    return {"status": status, "updated_apps": sorted(updated), "failed_apps": sorted(failed)}


async def evaluate(call: Call) -> str:
    """POST /v1/evaluate_apps_reapply: the deployer hears of the event, and judges by how apps behave what follows."""
    body = await call.body()
    event = body.get("type")
    if not isinstance(event, str) or not event:
        said = "missing 'type' field" if "type" not in body else f"type {shown(event)} must be a string"
        raise Refused(400, f"Failed to evaluate apps reapply: Invalid request body: {said}")
    if triggers.is_known(event):  # what no trigger can name moves nothing
        applied = [app.name for app in await call.apps() if app.status == words.APPLIED]
        await _tell(call, applied, event, _carried(body))
    return TRIGGERED


def _carried(body: dict[str, Any]) -> dict[str, str]:
    """What it says, as filters of releases are written; what is longer than any of them is asked for by none."""
    said = ((name, _written(value)) for name, value in _flat(body))
    fit = [(name, text) for name, text in said if 0 < len(name) <= LONGEST and 0 < len(text) <= LONGEST]
    return dict(fit[:MOST_RULES])


def _flat(body: dict[str, Any]) -> list[tuple[str, Any]]:
    """The fields of an event, and those of its `filters`."""
    filters = body.get("filters")
    inner = list(filters.items()) if isinstance(filters, dict) else []
    return [*body.items(), *inner]


def _written(value: Any) -> str:
    """As filters of releases are: a truth value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _tell(call: Call, apps: Sequence[str], event: str, carries: dict[str, str]) -> None:
    """Tell of an event where the door speaks for. Raises Refused 400 once all are told that can be."""
    reason = f"{event}, told at the sysinv door by {call.who.name}"[:1_000]
    async with call.gateway.pool.acquire() as conn:
        sites = await call.sites_in(conn)
    some = [tuple(sites[start : start + AT_ONCE]) for start in range(0, len(sites), AT_ONCE)]
    facts: dict[str, Any] = {"event": event, "carries": carries, "reason": reason}
    answers = await _asked(call, [ReapplyApp(app=app, sites=part, **facts) for app in apps for part in some])
    if faults := [fault for answer in answers if answer.state == "rejected" for fault in answer.faults]:
        raise Refused(400, *(f"Failed to evaluate apps reapply: {why}" for why in dict.fromkeys(told(faults))))


_APPS = "/v1/apps"
ROUTES = (
    Route("POST", f"{_APPS}/update_all", update_all, Role.OPERATOR),
    Route("POST", f"{_APPS}/rollback_all_apps", rollback_all, Role.OPERATOR),
    Route("GET", f"{_APPS}/get_apps_update_status", update_status),
    Route("POST", "/v1/evaluate_apps_reapply", evaluate, Role.OPERATOR),
)
