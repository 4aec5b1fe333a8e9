"""What the deployer's database knows of orders and their runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers import Order
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

Connect = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Left:
    """A run whose order was given up."""

    run: str
    home: str
    seconds: float
    """Since then."""


@dataclass(frozen=True, slots=True)
class Records:
    """Each question one query."""

    connect: Connect

    async def removed(self, orders: Sequence[Order]) -> list[bool]:
        """Whether the last thing that happened to each place was the removal of its component, or nothing ever did."""
        async with self.connect() as conn:
            rows = await SQL.fetch(conn, "last_reached", **_places(orders))
        revisions = {(row["site"], row["app"], row["component"]): row["revision"] for row in rows}
        return [not revisions.get((o.site, o.app, o.component.name)) for o in orders]

    async def abandoned(self, orders: Sequence[Order]) -> dict[str, list[Left]]:
        """Runs of older orders of the same places, by site."""
        async with self.connect() as conn:
            rows = await SQL.fetch(conn, "abandoned_runs", **_places(orders))
        found: dict[str, list[Left]] = {}
        for row in rows:
            found.setdefault(row["site"], []).append(Left(row["run"], row["home"], row["seconds"]))
        return found

    async def wanted(self) -> set[str]:
        """Runs that orders which have not ended may be found by."""
        async with self.connect() as conn:
            return {row["run"] for row in await SQL.fetch(conn, "wanted_runs")}


def _places(orders: Sequence[Order]) -> dict[str, list[str]]:
    rows = [(order.site, order.app, order.component.name) for order in orders]
    return dict(zip(("sites", "apps", "components"), columns(rows, 3), strict=True))
