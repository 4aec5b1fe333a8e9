"""PostgreSQL: pools, named queries from .sql files, and forward-only migrations of one service's schema."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosql
import asyncpg
import orjson
import structlog

if TYPE_CHECKING:  # asyncpg's classes are generic in their stubs only
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection, Pool = asyncpg.Connection, asyncpg.Pool

log = structlog.get_logger()


class Queries:
    """The named queries of a .sql file (`-- name: find_sites`), called with named arguments.

    aiosql parses the file and numbers the parameters; the call itself goes straight to asyncpg.
    Raises TypeError when a call's arguments are not exactly those of the query, KeyError for an unknown name.
    """

    def __init__(self, path: Path) -> None:
        logging.getLogger("aiosql").setLevel(logging.ERROR)  # it guesses operators for calls that we do not use
        parsed = aiosql.from_path(path, "asyncpg", mandatory_parameters=False)
        names = [name for name in parsed.available_queries if not name.endswith("_cursor")]
        self.sql: dict[str, str] = {name: getattr(parsed, name).sql for name in names}
        self.parameters: dict[str, list[str]] = {name: list(parsed.driver_adapter.var_sorted[name]) for name in names}

    async def fetch(self, conn: Connection, name: str, /, **arguments: Any) -> list[asyncpg.Record]:
        """All rows."""
        return await conn.fetch(self.sql[name], *self._ordered(name, arguments))

    async def row(self, conn: Connection, name: str, /, **arguments: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        return await conn.fetchrow(self.sql[name], *self._ordered(name, arguments))

    async def value(self, conn: Connection, name: str, /, **arguments: Any) -> Any:
        """The first column of the first row, or None."""
        return await conn.fetchval(self.sql[name], *self._ordered(name, arguments))

    async def run(self, conn: Connection, name: str, /, **arguments: Any) -> int:
        """The number of rows that were changed."""
        status = await conn.execute(self.sql[name], *self._ordered(name, arguments))
        return int(status.rsplit(" ", 1)[-1])

    def _ordered(self, name: str, arguments: dict[str, Any]) -> list[Any]:
        order = self.parameters[name]
        if len(order) != len(arguments):
            raise TypeError(f"query {name} takes {order}, got {sorted(arguments)}")
        return [arguments[parameter] for parameter in order]


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned to columns, for `unnest`: as many lists as the query has arrays, also when there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


PLANNED = {
    "jit": "off",  # costs more than it brings for short statements
    # What is worked on is in memory. By its usual 4 PostgreSQL takes a look-up for so dear that it reads a whole table
    # instead, once a batch; only statements over very large tables were looked up.
    "random_page_cost": "1.1",
}
"""How PostgreSQL is to plan what Belay asks, whoever runs the server."""


async def connect_pool(dsn: str, size: int = 5, **server_settings: str) -> Pool:
    """A pool whose connections speak jsonb as Python values. Raises OSError or asyncpg errors when unreachable.

    Whoever changes the session of a connection (locks it, listens) closes it instead of giving it back.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        init=_prepare,
        reset=_keep,
        server_settings=PLANNED | server_settings,
        command_timeout=60,
        timeout=10,
    )


async def connect_alone(dsn: str, **server_settings: str) -> Connection:
    """A connection that no pool has, for whoever needs a session of its own. Raises as `connect_pool` does."""
    conn = await asyncpg.connect(dsn, server_settings=PLANNED | server_settings, command_timeout=60, timeout=10)
    await _prepare(conn)
    return conn


async def _keep(_: Connection) -> None:
    """Spare a round trip at the end of each transaction: there is nothing in the session to set back."""


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A connection whose reads all see the database of one moment: what they show together belongs together."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn


async def _prepare(conn: Connection) -> None:
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=_dump, decoder=orjson.loads, format="text")


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


LOCK_TIMEOUT = "2s"
"""A migration that waits for a table makes everybody else wait behind it; rather it gives up and is tried again."""


async def migrate(pool: Pool, package: str) -> None:
    """Bring the current schema of `package` (such as services.catalog) up to date; safe to call by every replica.

    A new schema gets schema.sql and is marked as having every migration; an older one gets the missing files, those of
    the core (shared/core/migrations/) before its own (migrations/), in the order of their names, each once. All in one
    transaction under a lock. A schema that is ahead, because a newer version runs beside this one, stays as it is.

    Raises asyncpg.LockNotAvailableError, with nothing done, when a table could not be had.
    """
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(hashtext(current_schema() || '.migrate'))")
        await conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
        await conn.execute("create table if not exists migration (name text primary key, at timestamptz default now())")
        done = {row["name"] for row in await conn.fetch("select name from migration")}
        for name, sql in _missing(package, done).items():
            if sql:  # asyncpg breaks on an empty statement
                await conn.execute(sql)
            await conn.execute("insert into migration (name) values ($1)", name)


def _missing(package: str, done: set[str]) -> dict[str, str]:
    """Names and texts of what is to be executed, in order."""
    room = files(package)
    steps = _migrations(files("shared.core"), "shared/") | _migrations(room, "")
    if not done:
        return {"schema.sql": _ledger_sql() + (room / "schema.sql").read_text(), **dict.fromkeys(steps, "")}
    if ahead := sorted(done - steps.keys() - {"schema.sql"}):
        log.info("the schema is newer than this version", action="schema_ahead", migrations=ahead)
    return {name: sql for name, sql in steps.items() if name not in done}


def _migrations(room: Traversable, prefix: str) -> dict[str, str]:
    folder = room / "migrations"
    found = (file for file in folder.iterdir() if file.name.endswith(".sql")) if folder.is_dir() else ()
    return {prefix + file.name: file.read_text() for file in sorted(found, key=lambda file: file.name)}


def _ledger_sql() -> str:
    return files("shared.core").joinpath("tables.sql").read_text()
