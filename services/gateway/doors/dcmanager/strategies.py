"""`/sw-update-strategy`: one strategy at a time of each type, made, shown, applied, aborted, deleted."""

import itertools
from typing import Any

import asyncpg
from aiohttp import web

from services.gateway.domain import Role
from services.gateway.doors.call import Route, as_json, ignored_in, in_turns, readable
from services.gateway.doors.dcmanager import naming, shapes, store, strategy_request, words
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.strategy_making import exists, formed, make, spec_of
from services.gateway.doors.errors import Refused, refuse
from shared.messages.strategy import AbortStrategy, ApplyStrategy, DeleteStrategy
from shared.process.db import Connection, snapshot

ACTIONS = {"apply": ApplyStrategy, "abort": AbortStrategy, "delete": DeleteStrategy}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1.0/sw-update-strategy."""
    async with call.gateway.pool.acquire() as conn:
        row = await _newest(call, conn)
        if row is None:
            raise Refused(404, f"Strategy of type '{call.type}' not found" if call.type else "Strategy not found")
        return await _shown(call, conn, row)


async def steps(call: Call) -> dict[str, Any]:
    """GET /v1.0/sw-update-strategy/steps."""
    return {"strategy-steps": await _steps(call)}


async def step(call: Call) -> dict[str, Any]:
    """GET /v1.0/sw-update-strategy/steps/{cloud}."""
    found = await _steps(call, call.path["cloud"])
    if not found:
        raise Refused(404, "Strategy step not found")
    return found[0]


async def create(call: Call) -> web.Response:
    """POST /v1.0/sw-update-strategy: all that is wrong at once, and then nothing is made."""
    asked, faults, ignored = strategy_request.read(await call.body())
    async with call.gateway.pool.acquire() as conn:
        spec = await spec_of(call, conn, asked, faults)
        refuse(400, faults)
        if await store.newest_strategy(conn, spec["app"], words.TYPES[asked.type]):
            raise exists(asked.type)
    await make(call, formed(spec), asked)
    async with call.gateway.pool.acquire() as conn:
        row = await store.newest_strategy(conn, spec["app"], words.TYPES[asked.type])
        if row is None:
            raise Refused(503, f"Unable to create strategy of type '{asked.type}': no answer yet, look for it")
        return as_json(await _shown(call, conn, row), headers=ignored_in(ignored))


async def act(call: Call) -> Any:
    """POST /v1.0/sw-update-strategy/actions."""
    body = await call.body()
    action = body.get("action")
    if not action or not isinstance(action, str):
        raise Refused(400, "action required")
    if action not in ("apply", "abort"):
        return as_json(None, headers=ignored_in(["action"]))  # as there
    return await _do(call, action)


async def delete(call: Call) -> dict[str, Any]:
    """DELETE /v1.0/sw-update-strategy."""
    return await _do(call, "delete")


async def _do(call: Call, action: str) -> dict[str, Any]:
    async with call.gateway.pool.acquire() as conn:
        row = await _newest(call, conn)
    cannot = f"Unable to {action} strategy of type '{call.type}'"
    if row is None:
        raise Refused(422, f"{cannot}: Strategy with type {call.type} doesn't exist.")
    state = words.STATES.get(row["state"], row["state"])
    bad = f"{cannot}: Bad strategy request: "
    if state not in words.MAY[action]:
        raise Refused(422, f"{bad}Strategy in state {state} cannot be {words.DONE[action]}")
    answer = await call.ask(ACTIONS[action](strategy=row["strategy_id"]))
    if answer.state == "rejected":
        raise Refused(422, bad + "; ".join(fault.message for fault in answer.faults))
    await _seen(call, row)
    async with call.gateway.pool.acquire() as conn:
        row = await store.strategy(conn, row["strategy_id"]) or row
        return await _shown(call, conn, row, words.ANSWERED[action])


async def _seen(call: Call, before: asyncpg.Record) -> None:
    async def moved(conn: Connection) -> bool:
        return await store.moved(conn, before["strategy_id"], before["state"])

    await readable(call, moved)


async def _newest(call: Call, conn: Connection) -> asyncpg.Record | None:
    """The newest of the type that is asked for; without one, of all types."""
    kinds = words.TYPES.get(call.type, ()) if call.type else tuple(itertools.chain(*words.TYPES.values()))
    known = await naming.releases(call, conn)
    return await store.newest_strategy(conn, known.app, kinds) if kinds else None


async def _shown(call: Call, conn: Connection, row: asyncpg.Record, state: str | None = None) -> dict[str, Any]:
    key = row["strategy_id"]
    numbers = await call.numbers.of(conn, naming.STRATEGY, [key])
    return shapes.strategy(row, numbers[key], state)


async def _steps(call: Call, cloud: str | None = None) -> list[dict[str, Any]]:
    """Of the newest strategy, by their number."""
    async with snapshot(call.gateway.pool) as conn:
        row = await _newest(call, conn)
        if row is None:
            return []
        rows = await store.steps(conn, row["strategy_id"], cloud)
        prepared = await store.is_prepared(conn, row["spec"]["app"], row["spec"]["version"] or "")
    async with call.gateway.pool.acquire() as conn:
        subclouds = await naming.subclouds_numbered(call, conn, [step["site"] for step in rows])
        numbers = await call.numbers.of(conn, naming.STRATEGY, [row["strategy_id"]])
    kind, number = words.type_of(row["spec"]["type"]), numbers[row["strategy_id"]].number
    of = shapes.OfStrategy(kind, number, row["created_at"], prepared)
    found = await in_turns(rows, lambda each: shapes.step(each, of, subclouds[each["site"]]))
    return sorted(found, key=lambda shown: int(shown["id"]))


_PATH = "/v1.0/sw-update-strategy"
ROUTES = (
    Route("GET", _PATH, show),
    Route("POST", _PATH, create, Role.OPERATOR),
    Route("DELETE", _PATH, delete, Role.OPERATOR),
    Route("POST", f"{_PATH}/actions", act, Role.OPERATOR),
    Route("GET", f"{_PATH}/steps", steps),
    Route("GET", f"{_PATH}/steps/{{cloud}}", step),
)
