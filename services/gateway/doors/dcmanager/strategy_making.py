"""A strategy that somebody asks for: what Belay is asked to make, and the password that comes with it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.gateway.commands.ask import Answer
from services.gateway.doors.dcmanager import meant_release, naming, store, vault, words
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.strategy_request import DEFAULT_PARALLEL, Asked
from services.gateway.doors.errors import Refused
from shared.messages.base import ErrorCode, Fault, faults_of
from shared.messages.strategy import CreateStrategy, DeleteStrategy, Exclusion, FailurePolicy, Selection
from shared.process.db import Connection

STEP_SECONDS = 3 * 3600
"""What theirs gives to packages and images of one subcloud together."""

LACKING = ("unknown_secret", "nothing_to_do")
"""Reasons that pass when a secret is known that was set just now."""

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between tries."""


async def make(call: Call, command: CreateStrategy, asked: Asked) -> None:
    """A strategy with its password, or neither: nothing begins before it is applied, so the password may come last,
    unless there is none yet that the connections of sites name. Raises Refused 422.
    """
    password = await vault.seal(call, asked.password) if asked.password is not None else None
    first = password is not None and not await vault.is_kept(call)
    version = await vault.keep(call, password) if password is not None and first else 0
    made = await (_made_once_known(call, command) if first else call.ask(command))
    if made.state == "rejected":
        if first and not await _is_needed(call, command.spec.app):
            await vault.forget(call, version)
        raise _not_created(asked.type, made.faults, asked.cloud)
    if password is not None and not first:
        await _keep_or_undo(call, password, made.command_id)


async def _is_needed(call: Call, app: str) -> bool:
    """Whether somebody else's strategy was made meanwhile, whose password it may be as well."""
    async with call.gateway.pool.acquire() as conn:
        return (
            await store.newest_strategy(conn, app, [word for ours in words.TYPES.values() for word in ours]) is not None
        )


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


async def spec_of(call: Call, conn: Connection, asked: Asked, faults: list[str]) -> dict[str, Any]:
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


def formed(spec: dict[str, Any]) -> CreateStrategy:
    """Raises Refused 422 for a name that no subcloud can have, and a type that this Belay does not know."""
    try:
        return CreateStrategy.model_validate({"spec": spec})
    except ValidationError as error:
        kind = words.type_of(spec["type"])
        raise _not_created(kind, faults_of(error)) from None


def exists(kind: str) -> Refused:
    return Refused(422, f"{_cannot_create(kind)}Strategy of type: '{kind}' already exists")


def _not_created(kind: str, faults: Sequence[Fault], cloud: str | None = None) -> Refused:
    """As their words, where they have some."""
    if any(fault.code == "strategy_exists" for fault in faults):
        return exists(kind)
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
