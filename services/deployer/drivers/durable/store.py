"""Orders of drivers in the deployer's database: each query typed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.deployer.drivers import Broken, Done, Order
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

CANCELLED = Broken("cancelled", "it was cancelled before it began")
SUPERSEDED = Broken("superseded", "nobody brought it to its end before the next order of its component began")


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as the database has it."""

    cancelled: bool
    result: Done | Broken | None
    last: bool
    """Nothing was begun at its place since."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An order that whoever holds its place may carry out now."""

    note: dict[str, Any]
    cancelled: bool


def place_of(order: Order) -> str:
    """What one order at a time may change."""
    return f"{order.site}/{order.app}/{order.component.name}"


async def begin_orders(conn: Connection, orders: Sequence[Order]) -> None:
    """Keep those that are not kept yet."""
    await SQL.run(conn, "begin_orders", **_rows(orders))


async def cancel_orders(conn: Connection, orders: Sequence[Order]) -> None:
    """Mark them; those that no tool has had in its hands end with it."""
    await SQL.run(conn, "cancel_orders", cancelled=_dump(CANCELLED), **_rows(orders))


async def find_orders(conn: Connection, keys: Sequence[str]) -> dict[str, Kept]:
    """Those that were ever begun, by key."""
    rows = await SQL.fetch(conn, "find_orders", keys=keys)
    return {row["key"]: Kept(row["cancelled"], _result(row["result"]), row["last"]) for row in rows}


async def lock_places(conn: Connection, orders: Sequence[Order]) -> set[str]:
    """Keys of the orders whose places this session has now."""
    keys, places = columns([(order.key, place_of(order)) for order in orders], 2)
    rows = await SQL.fetch(conn, "lock_places", keys=keys, places=places)
    return {row["key"] for row in rows if row["locked"]}


async def unlock_places(conn: Connection, places: Sequence[str]) -> None:
    """Let them go."""
    await SQL.fetch(conn, "unlock_places", places=places)


async def take_orders(conn: Connection, keys: Sequence[str]) -> dict[str, Taken]:
    """Those that have not ended, by key; older ones of their places have ended with this."""
    rows = await SQL.fetch(conn, "take_orders", keys=keys, superseded=_dump(SUPERSEDED))
    return {row["key"]: Taken(row["note"], row["cancelled"]) for row in rows}


async def find_cancelled(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Keys of those that are to stop."""
    return {row["key"] for row in await SQL.fetch(conn, "find_cancelled", keys=keys)}


async def write_down(conn: Connection, key: str, note: Mapping[str, Any]) -> None:
    """Keep more of its note."""
    await SQL.run(conn, "write_down", key=key, note=dict(note))


async def end_order(conn: Connection, key: str, result: Done | Broken) -> None:
    """Keep its result, unless it has one."""
    await SQL.run(conn, "end_order", key=key, result=_dump(result))


def _rows(orders: Sequence[Order]) -> dict[str, list[Any]]:
    # In one order, so that whoever begins them and whoever cancels them never wait for each other.
    rows = sorted((o.key, o.component.driver, o.site, o.app, o.component.name) for o in orders)
    return dict(zip(("keys", "drivers", "sites", "apps", "components"), columns(rows, 5), strict=True))


def _dump(result: Done | Broken) -> dict[str, Any]:
    """As jsonb takes it: tools print NUL as well."""
    return {"as": type(result).__name__} | {name: _without_nul(value) for name, value in asdict(result).items()}


def _without_nul(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_without_nul(each) for each in value]
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


def _result(kept: Mapping[str, Any] | None) -> Done | Broken | None:
    if kept is None:
        return None
    if kept["as"] == Done.__name__:
        return Done(kept["revision"], kept["detail"], kept.get("fetched_bytes", 0))
    return Broken(kept["code"], kept["message"], tuple(kept["last_lines"]))
