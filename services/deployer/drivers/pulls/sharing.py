"""One pull at a time of the same images to one engine or cluster, over all replicas: by locks of PostgreSQL that fall
with their holder.

Without the database nobody waits: what two pull at the same time costs its bytes twice, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from shared.core.errors import is_transient
from shared.process.db import Connection, Queries, connect_alone

SQL = Queries(Path(__file__).with_name("queries.sql"))

log = structlog.get_logger()

AGAIN_SECONDS = 1.0
SILENT_SECONDS = 30
"""PostgreSQL ends a session that says nothing for so long: a machine that is gone keeps no image from others."""


class SharedPulls:
    """The locks of one replica, in a session of its own as long as it holds any or waits for one."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._conn: Connection | None = None
        self._users = 0
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Hold what others wait for meanwhile. In this replica nobody else may ask for the same key at the time."""
        self._users += 1
        keeping: asyncio.Task[None] | None = None
        try:
            if await self._taken(key):
                keeping = asyncio.create_task(self._keep())
            yield
        finally:
            if keeping:
                keeping.cancel()
            await asyncio.shield(self._let_go(key, held=keeping is not None))

    async def _taken(self, key: str) -> bool:
        """True once it is ours; False where nobody can say whose it is."""
        try:
            while not await self._granted(key):  # noqa: ASYNC110 - who holds it may be another process
                await asyncio.sleep(AGAIN_SECONDS)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("a pull is not shared with other replicas", action="pull_alone", error=repr(error)[:200])
            return False
        return True

    async def _granted(self, key: str) -> bool:
        """Whether it is ours now.

        Who was cancelled, or heard nothing, before the answer came may have it all the same, and it would stay with the
        session, which others in this replica keep. So it is let go: of a lock that it was not given PostgreSQL logs a
        warning, and nothing else happens, since nobody else in this session has one of the same key.
        """
        try:
            return await self._ask("lock_pull", key)
        except BaseException:
            await asyncio.shield(self._unlock(key))
            raise

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SILENT_SECONDS / 3)
            try:
                await self._ask("keep_pulls", "")
            except Exception as error:  # the lock is gone with the session, and others may pull the same
                if not is_transient(error):
                    raise
                return

    async def _let_go(self, key: str, *, held: bool) -> None:
        self._users -= 1
        if held:
            await self._unlock(key)
        if not self._users and (conn := self._conn):
            self._conn = None
            conn.terminate()

    async def _unlock(self, key: str) -> None:
        """In the session as it is: a lock of one before fell with that."""
        try:
            async with self._one_at_a_time:
                if self._conn is not None and not self._conn.is_closed():
                    await SQL.value(self._conn, "unlock_pull", key=key)
        except Exception as error:  # then it falls with the session
            if not is_transient(error):
                raise

    async def _ask(self, query: str, key: str) -> bool:
        async with self._one_at_a_time:
            if self._conn is None or self._conn.is_closed():
                self._conn = await connect_alone(self._dsn, idle_session_timeout=f"{SILENT_SECONDS}s")
            return bool(await SQL.value(self._conn, query, **({"key": key} if key else {})))
