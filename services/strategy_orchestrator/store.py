"""One typed method per query of queries.sql. All take the connection of the transaction they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import asyncpg

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.planning import Group, Plan
from services.strategy_orchestrator.strategies import Candidate, Changed, Release
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.strategy import ChangeSites, Selection, Site, StrategySpec, Why
from shared.messages.words import OperationKind
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

Row = asyncpg.Record

HISTORY = [field.name for field in fields(Candidate)].index("history")
"""Its place in the rows of `candidates`, whose columns are in the order of the fields."""


# -- sites and groups -----------------------------------------------------------------------------------------------


async def next_fleet_sequence(conn: Connection, count: int) -> int:
    """The first of `count` new sequence numbers of the fleet; holds the fleet's lock until the transaction ends."""
    last = cast("int", await SQL.value(conn, "next_fleet_sequence", count=count))
    return last - count + 1


async def groups(conn: Connection) -> dict[str, Group]:
    """Every group's limits by name."""
    rows = await SQL.fetch(conn, "groups")
    return {row["name"]: Group(row["apply_type"], limit_of(row["max_parallel"])) for row in rows}


async def insert_group(conn: Connection, name: str, description: str, apply_type: str, max_parallel: int | str) -> bool:
    """False when there is one of that name."""
    values = {"name": name, "description": description, "apply_type": apply_type, "max_parallel": str(max_parallel)}
    return await SQL.run(conn, "insert_group", **values) == 1


async def update_group(conn: Connection, name: str, **changes: Any) -> Row | None:
    """The group as it is now, None when there is none; what is None stays."""
    return await SQL.row(conn, "update_group", name=name, **changes)


async def delete_group(conn: Connection, name: str) -> bool:
    """False when there was none."""
    return await SQL.run(conn, "delete_group", name=name) == 1


async def resize_groups(conn: Connection, changes: Mapping[str, int]) -> None:
    """So many sites came to each group, or left it."""
    await SQL.run(conn, "resize_groups", names=list(changes), changes=list(changes.values()))


async def count_group_sites(conn: Connection, name: str) -> int:
    """How many sites a group has."""
    return cast("int", await SQL.value(conn, "count_group_sites", name=name))


async def upsert_sites(conn: Connection, sites: Sequence[Site]) -> None:
    """Add sites or replace what is known of them."""
    rows = [(s.name, s.group, s.labels, s.driver, s.params, s.managed, s.simplex) for s in sites]
    names, group_names, labels, drivers, params, managed, simplex = columns(rows, 7)
    await SQL.run(
        conn,
        "upsert_sites",
        names=names,
        groups=group_names,
        labels=labels,
        drivers=drivers,
        params=params,
        managed=managed,
        simplex=simplex,
    )


async def change_sites(conn: Connection, names: Sequence[str], change: ChangeSites) -> list[Site]:
    """Change what the command says of these sites; as they are now."""
    rows = await SQL.fetch(
        conn,
        "change_sites",
        names=list(names),
        group=change.group,
        ungroup=change.ungroup,
        labels=change.labels,
        unlabel=list(change.unlabel),
        driver=change.driver,
        params=change.params,
        unset_params=list(change.unset_params),
        managed=change.managed,
        simplex=change.simplex,
    )
    return [Site.model_construct(**row) for row in rows]


async def known_sites(conn: Connection, names: Sequence[str]) -> dict[str, Row]:
    """Holder and running operation of those names that are sites."""
    return {row["name"]: row for row in await SQL.fetch(conn, "known_sites", names=list(names))}


async def names_apart_by_case(conn: Connection, lowered: Sequence[str]) -> dict[str, str]:
    """The sites whose names in lower case are these, by them."""
    rows = await SQL.fetch(conn, "names_apart_by_case", lowered=list(lowered))
    return {row["name"].lower(): row["name"] for row in rows}


async def delete_sites(conn: Connection, names: Sequence[str]) -> None:
    """Forget sites that nobody holds."""
    await SQL.run(conn, "delete_sites", names=list(names))


async def candidates(conn: Connection, app: str, selection: Selection) -> list[Candidate]:
    """Every site of a selection (which must not be empty) with what runs there, by name."""
    without = selection.exclude
    rows = await SQL.fetch(
        conn,
        "candidates",
        app=app,
        sites=list(selection.sites),
        groups=list(selection.groups),
        labels=selection.labels,
        not_sites=list(without.sites),
        not_groups=list(without.groups),
        not_labels=without.labels,
    )
    return [_candidate(row) for row in rows]


def _candidate(row: Row) -> Candidate:
    facts = list(row.values())
    facts[HISTORY] = None if facts[HISTORY] is None else tuple(facts[HISTORY])
    return Candidate(*facts)


async def hold_sites(conn: Connection, strategy_id: str) -> list[str]:
    """Hold the sites of all waiting steps that nobody holds; returns their names."""
    return [row["site"] for row in await SQL.fetch(conn, "hold_sites", strategy_id=strategy_id)]


async def sites_not_held(conn: Connection, strategy_id: str) -> list[Row]:
    """Up to 20 sites of waiting steps that could not be held, and by which strategy they are."""
    return await SQL.fetch(conn, "sites_not_held", strategy_id=strategy_id)


async def release_sites(conn: Connection, strategy_id: str) -> int:
    """Let go of every site; returns how many."""
    return await SQL.run(conn, "release_sites", strategy_id=strategy_id)


async def begin_operations(conn: Connection, operations: Sequence[tuple[str, str]]) -> None:
    """Note single operations by (site, operation id)."""
    sites, operation_ids = columns(operations, 2)
    await SQL.run(conn, "begin_operations", sites=sites, operation_ids=operation_ids)


async def end_operations(conn: Connection, operations: Sequence[tuple[str, str]]) -> list[Row]:
    """Forget single operations; a row for each that was known: site, operation, and who waits for the site."""
    sites, operation_ids = columns(operations, 2)
    return await SQL.fetch(conn, "end_operations", sites=sites, operation_ids=operation_ids)


async def put_deployments(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], int]:
    """Note (site, app, version, status, operation id, nth, history as words); the next number of its site.state by site
    and app.

    An end that is older than what is noted changes nothing, and has no number.
    """
    names = ("sites", "apps", "versions", "statuses", "operation_ids", "counts", "histories")
    found = await SQL.fetch(conn, "put_deployments", **dict(zip(names, columns(rows, 7), strict=True)))
    return {(row["site"], row["app"]): row["sequence"] for row in found}


# -- releases -------------------------------------------------------------------------------------------------------


async def put_releases(conn: Connection, releases: Sequence[ReleaseAvailable]) -> None:
    """Note releases; a repeated event changes nothing."""
    last = {(r.app, r.version): r for r in releases}
    rows = [
        (r.app, r.version, r.scheme, "|".join(r.upgrades_from or ()), r.upgrades_from is None, _drivers(r))
        for r in last.values()
    ]
    names = ("apps", "versions", "schemes", "ranges", "anywhere", "drivers")
    await SQL.run(conn, "put_releases", **dict(zip(names, columns(rows, 6), strict=True)))


def _drivers(release: ReleaseAvailable) -> str:
    return " ".join(sorted({component.driver for component in release.components}))


async def withdraw_releases(conn: Connection, releases: Sequence[ReleaseWithdrawn]) -> None:
    """Note that releases are out of use."""
    apps, versions = columns([(r.app, r.version) for r in releases], 2)
    await SQL.run(conn, "withdraw_releases", apps=apps, versions=versions)


async def releases_of(conn: Connection, app: str) -> dict[str, Release]:
    """Every release of an app by version."""
    return {row["version"]: _release(row) for row in await SQL.fetch(conn, "releases_of", app=app)}


def _release(row: Row) -> Release:
    ranges, drivers = row["upgrades_from"], row["drivers"]
    return Release(
        scheme=row["scheme"],
        upgrades_from=None if ranges is None else tuple(ranges),
        drivers=None if drivers is None else frozenset(drivers),
        withdrawn=row["withdrawn"],
    )


async def withdrawn_targets(conn: Connection, strategy_id: str) -> list[str]:
    """The releases that waiting steps of a strategy are to reach and that were withdrawn."""
    return [row["version"] for row in await SQL.fetch(conn, "withdrawn_targets", strategy_id=strategy_id)]


async def strategies_towards(conn: Connection, apps: Sequence[str]) -> list[str]:
    """The ids of those strategies of these apps that are under way."""
    return [row["id"] for row in await SQL.fetch(conn, "strategies_towards", apps=list(apps))]


# -- strategies -----------------------------------------------------------------------------------------------------


async def find_strategy(conn: Connection, reference: str) -> str | None:
    """The id of the strategy with this id, or of the one of this name that is not deleted."""
    return cast("str | None", await SQL.value(conn, "find_strategy", reference=reference))


async def clashes(conn: Connection, name: str, strategy_id: str) -> list[Row]:
    """Strategies that are not deleted and have this name, this name as their id, or this id as their name."""
    return await SQL.fetch(conn, "clashes", name=name, id=strategy_id)


async def lock_in_order(conn: Connection, references: Sequence[str], sites: Sequence[str]) -> set[str]:
    """Lock the strategies of these ids or names, and those that hold these sites, until the end of the transaction.

    Returns the groups of their sites.
    """
    rows = await SQL.fetch(conn, "lock_in_order", references=references, sites=sites)
    return {group for row in rows for group in row["groups"]}


async def lock_strategies(conn: Connection, ids: Sequence[str]) -> list[Row]:
    """The rows, locked until the end of the transaction."""
    return await SQL.fetch(conn, "lock_strategies", ids=list(ids))


async def stages_of(conn: Connection, ids: Sequence[str]) -> list[Row]:
    """All stages of these strategies, in order."""
    return await SQL.fetch(conn, "stages_of", ids=list(ids))


class NewStrategy(NamedTuple):
    """A strategy that was planned."""

    id: str
    spec: StrategySpec
    operation: OperationKind
    why: Why
    created_by: str
    left_out: int
    """How many selected sites take no part."""


async def insert_strategy(conn: Connection, new: NewStrategy, now: datetime) -> None:
    """A strategy that is ready; its first event has the sequence 1."""
    spec, why = new.spec, new.why
    await SQL.run(
        conn,
        "insert_strategy",
        id=new.id,
        name=spec.name,
        type=spec.type,
        app=spec.app,
        version=spec.version,
        spec=spec.model_dump(mode="json"),
        operation=new.operation,
        left_out=new.left_out,
        why_code=why.code,
        why_message=why.message,
        sequence=0,
        created_by=new.created_by,
        created_at=now,
    )


async def insert_plan(conn: Connection, strategy_id: str, plan: Plan) -> None:
    """The stages and steps of a plan: two round trips, whatever its size."""
    firsts = [sum(stage.sites for stage in plan.stages[:index]) for index in range(len(plan.stages))]
    rows = [(s.position, s.name, s.sites, s.max_parallel, s.soak_seconds) for s in plan.stages]
    positions, names, sites, max_parallels, soaks = columns(rows, 5)
    await SQL.run(
        conn,
        "insert_stages",
        strategy_id=strategy_id,
        positions=positions,
        names=names,
        sites=sites,
        max_parallels=max_parallels,
        soaks=soaks,
        firsts=firsts,
    )
    groups, targets = plan.groups or {}, plan.targets
    ungrouped = None if plan.groups is None else ""
    places = [(number, site) for number, members in enumerate(plan.sites) for site in members]
    steps = [(n, site, targets.get(site), groups.get(site, ungrouped)) for n, site in places]
    lists = dict(zip(("stages", "sites", "targets", "groups"), columns(steps, 4), strict=True))
    values = {"positions": list(range(len(steps))), **lists}
    await SQL.run(conn, "insert_steps", strategy_id=strategy_id, **values)


async def save_strategies(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """(id, state, ends_as, why code, why message, sequence, started_at, finished_at, skipped) for each."""
    ids, states, ends_as, why_codes, why_messages, sequences, started_at, finished_at, skipped = columns(rows, 9)
    await SQL.run(
        conn,
        "save_strategies",
        ids=ids,
        states=states,
        ends_as=ends_as,
        why_codes=why_codes,
        why_messages=why_messages,
        sequences=sequences,
        started_at=started_at,
        finished_at=finished_at,
        skipped=skipped,
    )


async def save_stages(conn: Connection, stages: Sequence[tuple[str, Stage, int]]) -> None:
    """(strategy id, stage, cursor) for each."""
    await SQL.run(
        conn,
        "save_stages",
        strategy_ids=[strategy_id for strategy_id, _, _ in stages],
        positions=[s.position for _, s, _ in stages],
        states=[s.state for _, s, _ in stages],
        waiting=[s.counts.waiting for _, s, _ in stages],
        running=[s.counts.running for _, s, _ in stages],
        complete=[s.counts.complete for _, s, _ in stages],
        failed=[s.counts.failed for _, s, _ in stages],
        aborted=[s.counts.aborted for _, s, _ in stages],
        parked=[s.parked for _, s, _ in stages],
        full_groups=[s.full_groups for _, s, _ in stages],
        moved_at=[s.moved_at for _, s, _ in stages],
        oldest=[s.oldest for _, s, _ in stages],
        warnings=[s.warning.model_dump() if s.warning else None for _, s, _ in stages],
        forgiven=[s.forgiven for _, s, _ in stages],
        soak_until=[s.soak_until for _, s, _ in stages],
        cursors=[cursor for _, _, cursor in stages],
    )


async def delete_strategy(conn: Connection, strategy_id: str, now: datetime) -> int | None:
    """Put a strategy away; the sequence of the event that says so, None when it was put away before."""
    return cast("int | None", await SQL.value(conn, "delete_strategy", id=strategy_id, now=now))


async def no_longer_failing(conn: Connection, stages: Sequence[tuple[str, int]]) -> list[Row]:
    """Those of the stages (strategy id, position) that are still warned of for their failure rate."""
    strategy_ids, positions = columns(stages, 2)
    return await SQL.fetch(conn, "no_longer_failing", strategy_ids=strategy_ids, positions=positions)


# -- steps ----------------------------------------------------------------------------------------------------------


async def start_steps(
    conn: Connection, strategy_id: str, stage: int, cursor: int, count: int, batch: str, now: datetime
) -> list[Row]:
    """Give the next `count` waiting steps from `cursor` on a slot, all asked for in one batch; as they are now."""
    values = {"strategy_id": strategy_id, "stage": stage, "cursor": cursor, "count": count, "batch": batch}
    return await SQL.fetch(conn, "start_steps", **values, now=now)


async def oldest_running(conn: Connection, strategy_id: str, stage: int, limit: int) -> list[Row]:
    """The steps of a stage that run longest: site and since when, None for one begun by an older version."""
    return await SQL.fetch(conn, "oldest_running", strategy_id=strategy_id, stage=stage, limit=limit)


async def running_steps(conn: Connection, strategy_id: str, sites: Sequence[str]) -> list[Row]:
    """The running steps of these sites, or all of the strategy when no site is given."""
    return await SQL.fetch(conn, "running_steps", strategy_id=strategy_id, sites=list(sites))


async def still_running(conn: Connection, steps: Sequence[tuple[str, int, int]]) -> list[Row]:
    """Those of the steps (strategy id, position, attempt) that run, with their site and the strategy's name."""
    strategy_ids, positions, attempts = columns(steps, 3)
    values = {"strategy_ids": strategy_ids, "positions": positions, "attempts": attempts}
    return await SQL.fetch(conn, "still_running", **values)


async def steps_of_batches(conn: Connection, batches: Sequence[tuple[str, str]]) -> list[Row]:
    """Those steps that still run of the batches, given by (strategy id, name)."""
    strategy_ids, names = columns(batches, 2)
    return await SQL.fetch(conn, "steps_of_batches", strategy_ids=strategy_ids, names=names)


class StepEnd(NamedTuple):
    """How a running step ended."""

    strategy_id: str
    position: int
    attempt: int
    state: str
    why_code: str | None
    why_message: str | None
    before: str | None = None
    """The release that its operation found."""
    changed: bool | None = None
    """Whether the operation left the site other than it found it; None = no operation ran."""


async def finish_steps(conn: Connection, ends: Sequence[StepEnd]) -> list[Row]:
    """End running steps; those that moved."""
    names = ("strategy_ids", "positions", "attempts", "states", "codes", "messages", "befores", "changed")
    return await SQL.fetch(conn, "finish_steps", **dict(zip(names, columns(ends, 8), strict=True)))


async def park_steps(conn: Connection, parked: Sequence[tuple[str, int, int, str, str]]) -> list[Row]:
    """Running steps by (strategy id, position, attempt, code, message) wait for their site; those that moved."""
    strategy_ids, positions, attempts, codes, messages = columns(parked, 5)
    values = {"positions": positions, "attempts": attempts, "codes": codes, "messages": messages}
    return await SQL.fetch(conn, "park_steps", strategy_ids=strategy_ids, **values)


async def unpark_steps(conn: Connection, freed: Sequence[tuple[str, int]]) -> list[Row]:
    """Steps by (strategy id, position) whose site is free again; those that were parked."""
    strategy_ids, positions = columns(freed, 2)
    return await SQL.fetch(conn, "unpark_steps", strategy_ids=strategy_ids, positions=positions)


async def unpark_lagging(conn: Connection, strategy_ids: Sequence[str]) -> list[Row]:
    """Parked steps of these strategies whose site is not busy may try again; those that were parked."""
    return await SQL.fetch(conn, "unpark_lagging", strategy_ids=list(strategy_ids))


async def abort_steps(conn: Connection, strategy_id: str, why: Why) -> list[Row]:
    """Every waiting step becomes aborted."""
    return await SQL.fetch(conn, "abort_steps", strategy_id=strategy_id, code=why.code, message=why.message)


async def abort_steps_towards(conn: Connection, strategy_id: str, version: str, why: Why) -> list[Row]:
    """Waiting steps with this release of their own to reach become aborted; `was_parked` beside what they are now."""
    values = {"version": version, "code": why.code, "message": why.message}
    return await SQL.fetch(conn, "abort_steps_towards", strategy_id=strategy_id, **values)


async def skip_removed(conn: Connection, strategy_id: str, why: Why) -> list[Row]:
    """Waiting steps whose site was removed become aborted."""
    return await SQL.fetch(conn, "skip_removed", strategy_id=strategy_id, code=why.code, message=why.message)


async def changed_by(conn: Connection, strategy_id: str) -> dict[str, Changed]:
    """The sites that a strategy left other than it found them."""
    rows = await SQL.fetch(conn, "changed_by", strategy_id=strategy_id)
    return {row["site"]: Changed(row["before"], row["brought"]) for row in rows}


async def changed_in_stages(conn: Connection, strategy_id: str) -> dict[str, list[str]]:
    """The same sites, by the name of the stage in which each stood."""
    stages: dict[str, list[str]] = {}
    for row in await SQL.fetch(conn, "changed_in_stages", strategy_id=strategy_id):
        stages.setdefault(row["stage"], []).append(row["site"])
    return stages


async def reopen_steps(conn: Connection, strategy_id: str) -> list[Row]:
    """Failed and aborted steps wait again, for a new attempt."""
    return await SQL.fetch(conn, "reopen_steps", strategy_id=strategy_id)


def limit_of(text: str) -> int | str:
    """A limit as it is kept: a number or a per cent."""
    return text if text.endswith("%") else int(text)
