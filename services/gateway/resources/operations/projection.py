"""Operations, one upsert while they run and one when they end; and what they leave on their sites."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import asyncpg

from services.gateway.events.learning import LearningTransaction
from services.gateway.events.stream_events import deployments_changed
from services.gateway.resources.as_json import text
from services.gateway.resources.deployments import store as deployments
from services.gateway.resources.operations import store as operations
from services.gateway.resources.operations.store import Ending, FinishedRow, ProgressRow, QueuedRow
from services.gateway.resources.prestaged import store as prestaged
from services.gateway.resources.prestaged.store import PrestagedRow
from shared.messages import deployer
from shared.messages.words import OperationKind
from shared.wire.codec import Envelope

NTH, ID = attrgetter("nth"), attrgetter("operation_id")
One = deployer.OperationSucceeded | deployer.OperationFailed | deployer.Succeeded
Finished = deployer.OperationSucceeded | deployer.OperationsSucceeded | deployer.OperationFailed


async def learn_operations(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Progress, then ends. Also of what ended in the same batch: where it failed, when it began and for what it waited
    is told by its progress alone."""
    ended: dict[str, FinishedRow] = {}
    moved: dict[str, ProgressRow] = {}
    for event in events:
        if type(event.data) is deployer.OperationProgressed:
            row = _progress(event)
            moved[row.operation_id] = row.after(moved.get(row.operation_id))
        else:
            for end in finished_rows(event):
                ended.setdefault(end.operation_id, end)
    if moved:
        await operations.progress(tx.conn, sorted(moved.values(), key=ID))  # in one order in all replicas
    if ended:
        await _end(tx, sorted(ended.values(), key=ID))


async def _end(tx: LearningTransaction, rows: Sequence[FinishedRow]) -> None:
    """An end counts once: told again after later ones, it must not set back what runs on its site."""
    new = await operations.finish(tx.conn, rows)
    fresh = [row for row in rows if row.operation_id in new]
    if lies := [_lies(row) for row in last_on_each_site(row for row in fresh if row.prestaged is not None)]:
        await prestaged.put_prestaged(tx.conn, lies)
    left = list(last_on_each_site(row for row in fresh if row.ending.kind != OperationKind.PRESTAGE))
    if left:
        shown = await deployments.put_deployments(tx.conn, left)
        changed = [_shown(row) for row in left if row.operation_id in shown]
        tx.stream_events += deployments_changed(changed, tx.now)


def last_on_each_site(rows: Iterable[FinishedRow]) -> Iterable[FinishedRow]:
    """Of each app on each site the last end, by the deployer's count: those of two strategies come in any order."""
    return {(row.site, row.ending.app): row for row in sorted(rows, key=NTH)}.values()


def _lies(row: FinishedRow) -> PrestagedRow:
    return PrestagedRow(row.site, row.ending.app, row.nth, row.prestaged or "[]", row.ending.at)


def _shown(row: FinishedRow) -> dict[str, Any]:
    end = row.ending
    what = {"site": row.site, "app": end.app, "version": end.version, "status": row.status}
    return {**what, "operation_id": row.operation_id}


def _progress(event: Envelope[deployer.OperationProgressed]) -> ProgressRow:
    o = event.data
    what = (_plan(o.plan), _list(o.doing), o.strategy_id, event.time, event.time, o.publication)
    return ProgressRow(o.operation_id, o.site, o.app, o.kind, o.phase, o.percent, *what)


def finished_rows(event: Envelope[Finished]) -> list[FinishedRow]:
    """The whole operations, as their last event tells them."""
    ending, ends = _ending(event), event.data
    if isinstance(ends, deployer.OperationsSucceeded):
        return [_finished(o, ends.status, ending) for o in ends.operations]
    return [_finished(ends, ends.status, ending)]


def _finished(one: One, status: str, ending: Ending) -> FinishedRow:
    lies = None if one.prestaged is None else _list(one.prestaged)
    return FinishedRow(one.operation_id, one.site, one.seconds, one.nth, status, ending, one.fetched_bytes, lies)


def _ending(event: Envelope[Finished]) -> Ending:
    o = event.data
    failed = o if type(o) is deployer.OperationFailed else None
    return Ending(
        app=o.app,
        kind=o.kind,
        state="failed" if failed else "succeeded",
        from_version=o.from_version,
        to_version=o.to_version,
        version=o.version,
        recovered=failed.recovered if failed else None,
        cause=failed.cause.model_dump_json() if failed else None,
        plan=_plan(o.plan),
        phases="[]" if isinstance(o, deployer.OperationsSucceeded) else _list(o.phases),
        last_lines=text(failed.last_lines) if failed else "[]",
        strategy_id=o.strategy_id,
        at=event.time,
        overrides=" ".join(o.overrides) if o.overrides else None,
        secrets=text({each.name: each.version for each in o.secrets}) if o.secrets else None,
    )


def _plan(decisions: Sequence[deployer.ComponentDecision]) -> str:
    """As JSON, straight from the fields: nearly all of them are text, and every operation has a plan."""
    return text([_decision(decision) for decision in decisions])


def _decision(decision: deployer.ComponentDecision) -> dict[str, Any]:
    if decision.values or decision.notices:
        return decision.model_dump(mode="json")
    return {name: value for name, value in vars(decision).items() if name not in ("values", "notices")}


def _list(models: Sequence[Any]) -> str:
    return f"[{','.join(model.model_dump_json() for model in models)}]"


def by_itself(event: deployer.OperationProgressed | Finished) -> bool:
    """Whether the stream shows it: operations of a strategy are told by their strategy."""
    return not event.strategy_id


async def learn_requests(tx: LearningTransaction, answered: Sequence[asyncpg.Record]) -> None:
    """Operations that the deployer took wait for its first word on them; a preview began none."""
    rows = [_queued(row) for row in answered if row["state"] == "accepted" and not row["body"].get("preview")]
    if rows:
        await operations.queue(tx.conn, rows)


def _queued(row: asyncpg.Record) -> QueuedRow:
    body = row["body"]
    version = (row["result"] or {}).get("to_version") or body.get("version")  # as its release is written
    what = (body["site"], body["app"], body["kind"], version, row["sent_at"], body.get("publication"))
    return QueuedRow(row["command_id"], *what)


KINDS = (
    deployer.OperationProgressed,
    deployer.OperationSucceeded,
    deployer.OperationsSucceeded,
    deployer.OperationFailed,
)
