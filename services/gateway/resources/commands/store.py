"""Commands and their answers."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class AnswerRow(NamedTuple):
    """The owner's answer to a command."""

    command_id: str
    type: str
    state: str
    result: dict[str, Any]
    faults: str  # JSON


class CommandRow(NamedTuple):
    """A command that is about to be sent."""

    command_id: str
    type: str
    actor: str
    fingerprint: bytes
    body: dict[str, Any]


class StoredCommand(NamedTuple):
    """A command as it stands. `fresh`: its id was not used before."""

    command_id: str
    fingerprint: bytes
    state: Literal["sent", "accepted", "rejected"]
    result: dict[str, Any]
    faults: list[dict[str, Any]]
    fresh: bool = False


async def put(conn: Connection, rows: Sequence[CommandRow], now: datetime) -> set[str]:
    """Note commands (of different ids); returns those of the ids that were not used before."""
    names = ("ids", "types", "actors", "fingerprints", "bodies")
    found = await SQL.fetch(conn, "put_commands", **dict(zip(names, columns(rows, 5), strict=True)), now=now)
    return {row["command_id"] for row in found}


async def find(conn: Connection, command_id: str) -> asyncpg.Record | None:
    """The command with this id."""
    return await SQL.row(conn, "find_command", command_id=command_id)


async def find_all(conn: Connection, command_ids: Sequence[str], *, answered: bool = False) -> list[StoredCommand]:
    """Those of the commands that there are; or only those that were answered."""
    rows = await SQL.fetch(conn, "find_commands", ids=list(command_ids), answered=answered)
    return [StoredCommand(*row) for row in rows]


async def answer(conn: Connection, rows: Sequence[AnswerRow], now: datetime) -> list[asyncpg.Record]:
    """Write answers to those of the commands that are ours and wait for one; these come back."""
    names = ("ids", "types", "states", "results", "faults")
    return await SQL.fetch(conn, "answer_commands", **dict(zip(names, columns(rows, 5), strict=True)), now=now)


async def close(conn: Connection, command_id: str, result: dict[str, Any], now: datetime) -> None:
    """Mark as accepted what needed no other service."""
    await SQL.run(conn, "close_command", command_id=command_id, result=result, now=now)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` commands that were sent before `before`; returns how many."""
    return await SQL.run(conn, "prune_commands", before=before, limit=limit)
