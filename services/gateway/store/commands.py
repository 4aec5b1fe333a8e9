"""Commands that were sent through this gateway, and the audit of who did what."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.gateway.domain import Identity
from shared.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_suffix(".sql"))


class AnswerRow(NamedTuple):
    """The owner's answer to a command."""

    command_id: str
    type: str
    state: str
    result: dict[str, Any]
    faults: str  # JSON


async def put(
    conn: Connection,
    *,
    command_id: str,
    kind: str,
    actor: str,
    fingerprint: bytes,
    body: dict[str, Any],
    now: datetime,
) -> bool:
    """Note a command that is about to be sent; False when its id was used before."""
    named = {"command_id": command_id, "type": kind, "actor": actor, "fingerprint": fingerprint, "body": body}
    return await SQL.value(conn, "put_command", **named, now=now) is not None


async def find(conn: Connection, command_id: str) -> asyncpg.Record | None:
    """The command with this id."""
    return await SQL.row(conn, "find_command", command_id=command_id)


async def answer(conn: Connection, rows: Sequence[AnswerRow], now: datetime) -> list[asyncpg.Record]:
    """Write answers to those of the commands that are ours and wait for one; these come back."""
    names = ("ids", "types", "states", "results", "faults")
    return await SQL.fetch(conn, "answer_commands", **dict(zip(names, columns(rows, 5), strict=True)), now=now)


async def close(conn: Connection, command_id: str, result: dict[str, Any], now: datetime) -> None:
    """Mark as accepted what needed no other service."""
    await SQL.run(conn, "close_command", command_id=command_id, result=result, now=now)


async def prune(conn: Connection, before: datetime) -> int:
    """Forget commands that were sent before `before`."""
    return await SQL.run(conn, "prune_commands", before=before)


async def audit(
    conn: Connection, who: Identity, action: str, target: str, *, now: datetime, result: str, command_id: str | None
) -> None:
    """Note who does what; `result` is `sent` for a command, whose answer will replace it."""
    named = {"actor": who.name, "role": who.role, "action": action, "target": target, "result": result}
    await SQL.run(conn, "put_audit", **named, now=now, command_id=command_id)


async def list_audit(conn: Connection, before: int, limit: int, actor: str | None) -> list[asyncpg.Record]:
    """The audit, newest first, with ids below `before`."""
    return await SQL.fetch(conn, "list_audit", before=before, limit=limit, actor=actor)
