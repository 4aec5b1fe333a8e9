"""Operations, one upsert while they run and one when they end; and what they leave on their sites."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.news import deployments_changed
from services.gateway.store import operations as store
from services.gateway.store.as_json import text
from services.gateway.store.operations import Ending, FinishedRow, ProgressRow
from services.gateway.turns import LearningTurn
from shared.codec import Envelope
from shared.messages import deployer

Finished = deployer.OperationSucceeded | deployer.OperationFailed


async def learn_operations(turn: LearningTurn, events: Sequence[Envelope[Any]]) -> None:
    """Progress and ends; progress of what ended in the same batch is left out."""
    ended: dict[str, FinishedRow] = {}
    moved: dict[str, ProgressRow] = {}
    for event in events:
        operation_id = event.data.operation_id
        if type(event.data) is deployer.OperationProgressed:
            moved[operation_id] = _progress(event)
        elif operation_id not in ended:
            ended[operation_id] = finished_row(event)
    if going := [row for operation_id, row in moved.items() if operation_id not in ended]:
        await store.progress(turn.conn, going)
    if ended:
        await _end(turn, list(ended.values()))


async def _end(turn: LearningTurn, rows: Sequence[FinishedRow]) -> None:
    """An end counts once: told again after later ones, it must not set back what runs on its site."""
    new = await store.finish(turn.conn, rows)
    left = list(last_on_each_site(row for row in rows if row.operation_id in new))
    if left:
        await store.put_deployments(turn.conn, left)
        turn.news += deployments_changed([_shown(row) for row in left], turn.now)


def last_on_each_site(rows: Iterable[FinishedRow]) -> Iterable[FinishedRow]:
    """Of each app on each site the last end: those of one site come in the order in which they happened."""
    return {(row.site, row.ending.app): row for row in rows}.values()


def _shown(row: FinishedRow) -> dict[str, Any]:
    end = row.ending
    what = {"site": row.site, "app": end.app, "version": end.version, "status": row.status}
    return {**what, "operation_id": row.operation_id}


def _progress(event: Envelope[deployer.OperationProgressed]) -> ProgressRow:
    o = event.data
    plan = _plan(o.plan)
    return ProgressRow(o.operation_id, o.site, o.app, o.kind, o.phase, o.percent, plan, o.strategy_id, event.time)


def finished_row(event: Envelope[Finished]) -> FinishedRow:
    """The whole operation, as its last event tells it."""
    o = event.data
    failed = o if type(o) is deployer.OperationFailed else None
    ending = Ending(
        app=o.app,
        kind=o.kind,
        state="failed" if failed else "succeeded",
        from_version=o.from_version,
        to_version=o.to_version,
        version=o.version,
        recovered=failed.recovered if failed else None,
        cause=failed.cause.model_dump_json() if failed else None,
        plan=_plan(o.plan),
        phases=_list(failed.phases) if failed else "[]",
        evidence=failed.evidence if failed else None,
        strategy_id=o.strategy_id,
        at=event.time,
    )
    return FinishedRow(o.operation_id, o.site, o.seconds, o.status, ending)


def _plan(decisions: Sequence[deployer.ComponentDecision]) -> str:
    """As JSON, straight from the fields: all of them are text, and every operation has a plan."""
    return text([vars(decision) for decision in decisions])


def _list(models: Sequence[Any]) -> str:
    return f"[{','.join(model.model_dump_json() for model in models)}]"


KINDS = (deployer.OperationProgressed, deployer.OperationSucceeded, deployer.OperationFailed)
