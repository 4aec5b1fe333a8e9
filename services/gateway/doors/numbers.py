"""Clients of a door want integers for ids. They are given out once, and are the same after a restart and at every
replica."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("numbers.sql"))


class Number(NamedTuple):
    """The integer that stands for something, and since when."""

    number: int
    given_at: datetime


class Numbers:
    """The integers of one door. `first` of each kind: those below are the door's own."""

    def __init__(self, door: str) -> None:
        self.door = door

    async def of(self, conn: Connection, kind: str, keys: Iterable[str], first: int = 1) -> dict[str, Number]:
        """The number of each key; those that have none yet get the next ones, in this order.

        Opens a transaction where it has to give some out. One replica does so at a time, so that none has two keys.
        """
        wanted = list(dict.fromkeys(keys))
        found = await self._find(conn, kind, wanted)
        if missing := [key for key in wanted if key not in found]:
            async with conn.transaction():
                await SQL.value(conn, "lock_numbers", door=self.door, kind=kind)
                named = {"door": self.door, "kind": kind, "keys": missing}
                await SQL.run(conn, "give_numbers", **named, first=first, now=datetime.now(UTC))
            found |= await self._find(conn, kind, missing)
        return found

    async def key(self, conn: Connection, kind: str, number: int) -> str | None:
        """What a number stands for, if it was given out."""
        key: str | None = await SQL.value(conn, "find_key", door=self.door, kind=kind, number=number)
        return key

    async def _find(self, conn: Connection, kind: str, keys: list[str]) -> dict[str, Number]:
        rows = await SQL.fetch(conn, "find_numbers", door=self.door, kind=kind, keys=keys)
        return {row["key"]: Number(row["number"], row["given_at"]) for row in rows}
