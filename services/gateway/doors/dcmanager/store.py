"""What the door reads of the gateway's read models, in the shapes that its clients want: whole lists, no pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def newest_strategy(conn: Connection, app: str, types: Sequence[str]) -> asyncpg.Record | None:
    """The newest strategy of these types that is not deleted, with its number of sites."""
    return await SQL.row(conn, "newest_strategy", app=app, types=list(types))


async def strategy(conn: Connection, strategy_id: str) -> asyncpg.Record | None:
    """A strategy as it is now, with its number of sites."""
    return await SQL.row(conn, "find_strategy", strategy_id=strategy_id)


async def leaves_out(conn: Connection, strategy_id: str, code: str) -> bool:
    """Whether a strategy leaves out a site for this reason."""
    return bool(await SQL.value(conn, "leaves_out", strategy_id=strategy_id, code=code))


async def moved(conn: Connection, strategy_id: str, state: str) -> bool:
    """Whether a strategy is not in this state any more."""
    return bool(await SQL.value(conn, "moved", strategy_id=strategy_id, state=state))


OF_OPERATION = ("phase", "requested_at", "finished_at", "cause")
"""What a step has of its operation."""


async def steps(conn: Connection, strategy_id: str, site: str | None = None) -> list[dict[str, Any]]:
    """The steps of a strategy in the order of its stages, each with its operation, as far as one is known."""
    rows = await SQL.fetch(conn, "list_steps", strategy_id=strategy_id, site=site)
    # Not one query: the table of operations fills and empties, looks empty then, and would be read for each step.
    ids = [row["operation_id"] for row in rows if row["operation_id"]]
    known = {row["operation_id"]: row for row in await SQL.fetch(conn, "operations", ids=ids)} if ids else {}
    return [{**row, **{key: _of(known.get(row["operation_id"]), key) for key in OF_OPERATION}} for row in rows]


def _of(operation: asyncpg.Record | None, key: str) -> Any:
    return operation[key] if operation else None


async def is_prepared(conn: Connection, app: str, version: str) -> bool:
    """Whether what a release brings to sites lies ready."""
    return bool(await SQL.value(conn, "is_prepared", app=app, version=version))


async def apps(conn: Connection) -> list[str]:
    """Names of all apps."""
    return [row["app"] for row in await SQL.fetch(conn, "apps")]


async def versions(conn: Connection, app: str) -> list[asyncpg.Record]:
    """Available releases of an app with their scheme, the first published first."""
    return await SQL.fetch(conn, "versions", app=app)


async def subclouds(conn: Connection, app: str, name: str | None = None) -> list[asyncpg.Record]:
    """Sites by name with what runs there of the app; of one name only, if it is given."""
    return await SQL.fetch(conn, "list_subclouds", app=app, name=name, grouped=False, group=None)


async def subclouds_of(conn: Connection, app: str, group: str | None) -> list[asyncpg.Record]:
    """The sites of a group; None = those of none."""
    return await SQL.fetch(conn, "list_subclouds", app=app, name=None, grouped=True, group=group)


async def groups(conn: Connection, name: str | None = None) -> list[asyncpg.Record]:
    """Groups by name with their number of sites; of one name only, if it is given."""
    return await SQL.fetch(conn, "list_groups", name=name)


async def ungrouped(conn: Connection) -> int:
    """How many sites belong to no group."""
    return int(await SQL.value(conn, "count_ungrouped"))


async def sum_alarms(conn: Connection) -> list[asyncpg.Record]:
    """Each site by name, with its alarms counted by severity."""
    return await SQL.fetch(conn, "sum_alarms")


async def operation(conn: Connection, operation_id: str) -> asyncpg.Record | None:
    """How an operation stands."""
    rows = await SQL.fetch(conn, "operations", ids=[operation_id])
    return rows[0] if rows else None
