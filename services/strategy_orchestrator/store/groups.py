"""One typed method per query of groups.sql. All take the connection of the transaction they belong to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from services.strategy_orchestrator.fleet.group_limits import GroupQueue, GroupUsage
from services.strategy_orchestrator.planning import Group
from services.strategy_orchestrator.store.steps import Step
from services.strategy_orchestrator.strategies.site_state import TURNED
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("groups.sql"))


class GroupFacts(NamedTuple):
    """A group as people made it."""

    name: str
    description: str
    apply_type: str
    max_parallel: str


async def groups(conn: Connection) -> dict[str, Group]:
    """Every group's limits by name."""
    rows = await SQL.fetch(conn, "groups")
    return {row["name"]: Group(row["apply_type"], limit_of(row["max_parallel"])) for row in rows}


async def insert_group(conn: Connection, name: str, description: str, apply_type: str, max_parallel: int | str) -> bool:
    """False when there is one of that name."""
    values = {"name": name, "description": description, "apply_type": apply_type, "max_parallel": str(max_parallel)}
    return await SQL.run(conn, "insert_group", **values) == 1


async def update_group(conn: Connection, name: str, **changes: Any) -> GroupFacts | None:
    """The group as it is now, None when there is none; what is None stays."""
    row = await SQL.row(conn, "update_group", name=name, **changes)
    return None if row is None else GroupFacts._make(row)


async def delete_group(conn: Connection, name: str) -> bool:
    """False when there was none."""
    return await SQL.run(conn, "delete_group", name=name) == 1


async def resize_groups(conn: Connection, changes: Mapping[str, int]) -> None:
    """So many sites came to each group, or left it."""
    await SQL.run(conn, "resize_groups", names=list(changes), changes=list(changes.values()))


async def count_group_sites(conn: Connection, name: str) -> int:
    """How many sites a group has."""
    return cast("int", await SQL.value(conn, "count_group_sites", name=name))


def limit_of(text: str) -> int | str:
    """A limit as it is kept: a number or a per cent."""
    return text if text.endswith("%") else int(text)


async def lock_groups(conn: Connection, names: Sequence[str]) -> dict[str, GroupUsage]:
    """How full these groups are; nobody else changes that until the end of the transaction."""
    rows = await SQL.fetch(conn, "lock_groups", names=list(names))
    return {
        r["name"]: GroupUsage(r["name"], r["apply_type"], limit_of(r["max_parallel"]), r["sites"], r["running"])
        for r in rows
    }


async def lock_all_groups(conn: Connection) -> None:
    """Lock every group until the end of the transaction."""
    await SQL.fetch(conn, "lock_all_groups")


async def count_running(conn: Connection, groups: Sequence[tuple[GroupUsage, int]]) -> set[str]:
    """Note (group, change) of sites that change; the groups in which no more begin than their limit allows."""
    names, changes, limits = columns([(group.name, change, group.limit) for group, change in groups], 3)
    kept = await SQL.fetch(conn, "count_running", names=names, changes=changes, limits=limits)
    return {row["name"] for row in kept}


async def recount_running(conn: Connection, pending: Mapping[str, int]) -> None:
    """Count the running sites of groups by the steps there are, but for changes that are still to be noted."""
    await SQL.run(conn, "recount_running", names=list(pending), pending=list(pending.values()))


async def make_queues(conn: Connection, strategy_id: str) -> list[str]:
    """Count the waiting sites of a strategy by stage and group, as they are now; returns the names of the groups.

    A strategy none of whose sites has a group has no queues, and costs nothing from here on.
    """
    await SQL.run(conn, "drop_queues", strategy_id=strategy_id)
    if await SQL.value(conn, "any_groups", strategy_id=strategy_id):
        await SQL.run(conn, "regroup_steps", strategy_id=strategy_id)
        await SQL.run(conn, "make_queues", strategy_id=strategy_id)
    groups: list[str] = await SQL.value(conn, "keep_groups", strategy_id=strategy_id)
    return groups


async def drop_queues(conn: Connection, strategy_id: str) -> None:
    """Nothing of the strategy waits any more."""
    await SQL.run(conn, "drop_queues", strategy_id=strategy_id)


async def queues_of(conn: Connection, strategy_id: str, stage: int) -> dict[str, GroupQueue]:
    """The queues of a stage by group, in the order in which their sites stand."""
    rows = await SQL.fetch(conn, "queues_of", strategy_id=strategy_id, stage=stage)
    return {row["group_name"]: GroupQueue(*row.values()) for row in rows}


async def save_queues(conn: Connection, strategy_id: str, stage: int, queues: Sequence[GroupQueue]) -> None:
    """The queues of a stage as they are now."""
    groups, waiting, cursors, waits_for_group = columns(
        [(s.group, s.waiting, s.cursor, s.waits_for_group) for s in queues], 4
    )
    values = {"groups": groups, "waiting": waiting, "cursors": cursors, "waits": waits_for_group}
    await SQL.run(conn, "save_queues", strategy_id=strategy_id, stage=stage, **values)


async def waiting_for(conn: Connection, groups: Sequence[str]) -> set[str]:
    """The strategies that wait for a slot in one of these groups."""
    return {row["strategy_id"] for row in await SQL.fetch(conn, "waiting_for", groups=list(groups))}


async def start_steps(
    conn: Connection,
    strategy_id: str,
    stage: int,
    queues: Mapping[str, GroupQueue],
    counts: Mapping[str, int],
    batch: str,
    now: datetime,
) -> list[Step]:
    """Give so many waiting steps of each group a slot, all asked for in one batch; as they are now."""
    values = {"groups": list(counts), "counts": list(counts.values()), "batch": batch, "now": now}
    cursors = [queues[group].cursor for group in counts]
    about = {"strategy_id": strategy_id, "stage": stage, "cursors": cursors, "messages": TURNED}
    return [Step._make(row) for row in await SQL.fetch(conn, "start_steps_of_groups", **about, **values)]
