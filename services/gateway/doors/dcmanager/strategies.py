"""`/sw-update-strategy`: one strategy at a time of each type, made, shown, applied, aborted, deleted."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiohttp import web
from pydantic import ValidationError

from services.gateway.commands.ask import Answer
from services.gateway.domain import Role
from services.gateway.doors.dcmanager import meant_release, naming, shapes, store, strategy_request, vault, words
from services.gateway.doors.dcmanager.call import Call, Route, as_json, ignored_in, in_turns, readable
from services.gateway.doors.dcmanager.errors import Refused, refuse
from services.gateway.doors.dcmanager.strategy_request import DEFAULT_PARALLEL, Asked
from shared.messages.base import ErrorCode, Fault, faults_of
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CreateStrategy,
    DeleteStrategy,
    Exclusion,
    FailurePolicy,
    Selection,
)
from shared.process.db import Connection, snapshot

STEP_SECONDS = 3 * 3600
"""What theirs gives to packages and images of one subcloud together."""

LACKING = ("unknown_secret", "nothing_to_do")
"""Reasons that pass when a secret is known that was set just now."""

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between tries."""

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
        spec = await _spec(call, conn, asked, faults)
        refuse(400, faults)
        if await store.newest_strategy(conn, spec["app"], words.TYPES[asked.type]):
            raise _exists(asked.type)
    await _make(call, _formed(spec), asked)
    async with call.gateway.pool.acquire() as conn:
        row = await store.newest_strategy(conn, spec["app"], words.TYPES[asked.type])
        if row is None:
            raise Refused(503, f"Unable to create strategy of type '{asked.type}': no answer yet, look for it")
        return as_json(await _shown(call, conn, row), headers=ignored_in(ignored))


async def _make(call: Call, command: CreateStrategy, asked: Asked) -> None:
    """A strategy with its password, or neither: nothing begins before it is applied, so the password may come last,
    unless there is none yet that the connections of sites name. Raises Refused 422.
    """
    password = await vault.seal(call, asked.password) if asked.password is not None else None
    first = password is not None and not await vault.is_kept(call)
    if password is not None and first:
        await vault.keep(call, password)
    made = await (_made_once_known(call, command) if first else call.ask(command))
    if made.state == "rejected":
        if first:
            await vault.forget(call)
        raise _not_created(asked.type, made.faults, asked.cloud)
    if password is not None and not first:
        await _keep_or_undo(call, password, made.command_id)


async def _made_once_known(call: Call, command: CreateStrategy) -> Answer:
    """The orchestrator hears of a new secret some milliseconds after who keeps it; till then it leaves sites out."""
    for pause in PAUSES:
        made = await call.ask(command)
        if made.state == "rejected" and not any(fault.code in LACKING for fault in made.faults):
            return made
        async with call.gateway.pool.acquire() as conn:
            if made.state != "rejected" and not await store.leaves_out(conn, made.command_id, LACKING[0]):
                return made
        if made.state != "rejected":
            await call.ask(DeleteStrategy(strategy=made.command_id))
        await asyncio.sleep(pause)
    return await call.ask(command)


async def _keep_or_undo(call: Call, password: vault.SealedPassword, strategy_id: str) -> None:
    try:
        await vault.keep(call, password)
    except Refused:
        await call.ask(DeleteStrategy(strategy=strategy_id))
        raise


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
    numbers = await call.parts.numbers.of(conn, naming.STRATEGY, [key])
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
        numbers = await call.parts.numbers.of(conn, naming.STRATEGY, [row["strategy_id"]])
    kind, number = words.type_of(row["spec"]["type"]), numbers[row["strategy_id"]].number
    of = shapes.OfStrategy(kind, number, row["created_at"], prepared)
    found = await in_turns(rows, lambda each: shapes.step(each, of, subclouds[each["site"]]))
    return sorted(found, key=lambda shown: int(shown["id"]))


async def _spec(call: Call, conn: Connection, asked: Asked, faults: list[str]) -> dict[str, Any]:
    """The spec of Belay's strategy. Adds to the faults what only the database can tell."""
    known = await naming.releases(call, conn)
    limits, selection = await _limits(call, conn, asked, faults)
    return {
        "name": f"dcmanager-{asked.type}",
        "type": "rollback" if asked.rollback else "update" if asked.type == words.SW_DEPLOY else asked.type,
        "app": known.app,
        "version": None if asked.rollback else _version(known, asked, faults),
        "mixed": asked.rollback,
        "selection": selection,
        **limits,
        "on_failure": FailurePolicy(stop_on_failure=asked.stop_on_failure),
        "step_timeout_seconds": STEP_SECONDS,
        "force": asked.force and asked.type == words.PRESTAGE,
        "description": f"asked for at the dcmanager door by {call.who.name}",
    }


def _version(known: meant_release.Known, asked: Asked, faults: list[str]) -> str | None:
    """The release to reach; for a prestage the newest where none is named."""
    if asked.release is None:
        if asked.type == words.PRESTAGE and known.newest is None:
            faults.append("there is no release to prestage")
        return known.newest
    version = meant_release.meant(known, asked.release)
    if version is None:
        faults.append(meant_release.unknown(known, asked.release))
    return version


async def _limits(
    call: Call, conn: Connection, asked: Asked, faults: list[str]
) -> tuple[dict[str, Any], Selection | dict[str, Any]]:
    """How many at once, and which. A group says both; named sites are checked by the command."""
    apply_type, limit = asked.apply_type or "parallel", asked.max_parallel or DEFAULT_PARALLEL
    chosen: Selection | dict[str, Any] = {"sites": [asked.cloud]} if asked.cloud else Selection(all=True)
    if asked.group is not None:
        group = await naming.group(call, conn, asked.group)
        if group is None:
            faults.append("Invalid group_id")
        elif group == "":
            others = tuple(row["name"] for row in await store.groups(conn))
            chosen = Selection(all=True, exclude=Exclusion(groups=others))
        else:
            apply_type = asked.apply_type or group["apply_type"]
            limit = asked.max_parallel or group["max_parallel"]
            chosen = Selection(groups=(group["name"],))
    return {"apply_type": apply_type, "max_parallel": 1 if apply_type == "serial" else limit}, chosen


def _formed(spec: dict[str, Any]) -> CreateStrategy:
    """Raises Refused 422 for a name that no subcloud can have, and a type that this Belay does not know."""
    try:
        return CreateStrategy.model_validate({"spec": spec})
    except ValidationError as error:
        kind = words.type_of(spec["type"])
        raise _not_created(kind, faults_of(error)) from None


def _exists(kind: str) -> Refused:
    return Refused(422, f"{_cannot_create(kind)}Strategy of type: '{kind}' already exists")


def _not_created(kind: str, faults: Sequence[Fault], cloud: str | None = None) -> Refused:
    """As their words, where they have some."""
    if any(fault.code == "strategy_exists" for fault in faults):
        return _exists(kind)
    return Refused(422, *(f"{'' if n else _cannot_create(kind)}{_told(kind, cloud, f)}" for n, f in enumerate(faults)))


def _told(kind: str, cloud: str | None, fault: Fault) -> str:
    named = fault.field.startswith("spec.selection.sites")
    if fault.code == "unknown_site" or (named and fault.code == ErrorCode.INVALID_FIELD):
        return f"Subcloud {fault.value} does not exist"
    if named and kind == words.PRESTAGE:
        return f"Prestage skipped '{fault.value}': {fault.message}"
    if fault.code not in ("nothing_to_do", "empty_selection"):
        return fault.message
    none = f"Subcloud {cloud} does not require {kind} update" if cloud else "Strategy has no steps to apply"
    return f"{none}: {fault.message}"


def _cannot_create(kind: str) -> str:
    return f"Unable to create strategy of type '{kind}': Bad strategy request: "


_PATH = "/v1.0/sw-update-strategy"
ROUTES = (
    Route("GET", _PATH, show),
    Route("POST", _PATH, create, Role.OPERATOR),
    Route("DELETE", _PATH, delete, Role.OPERATOR),
    Route("POST", f"{_PATH}/actions", act, Role.OPERATOR),
    Route("GET", f"{_PATH}/steps", steps),
    Route("GET", f"{_PATH}/steps/{{cloud}}", step),
)
