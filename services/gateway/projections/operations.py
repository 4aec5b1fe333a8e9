"""Operations: one upsert while they run, one when they end."""

from collections.abc import Sequence
from typing import Any

from services.gateway.store import operations as store
from services.gateway.store.operations import FinishedRow, ProgressRow
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
        if isinstance(event.data, deployer.OperationProgressed):
            moved[operation_id] = _progress(event)
        elif operation_id not in ended:
            ended[operation_id] = finished_row(event)
    if going := [row for operation_id, row in moved.items() if operation_id not in ended]:
        await store.progress(turn.conn, going)
    if ended:
        await store.finish(turn.conn, list(ended.values()))


def _progress(event: Envelope[deployer.OperationProgressed]) -> ProgressRow:
    o = event.data
    plan = _list(o.plan)
    return ProgressRow(o.operation_id, o.site, o.app, o.kind, o.phase, o.percent, plan, o.strategy_id, event.time)


def finished_row(event: Envelope[Finished]) -> FinishedRow:
    """The whole operation, as its last event tells it."""
    o = event.data
    failed = o if isinstance(o, deployer.OperationFailed) else None
    return FinishedRow(
        operation_id=o.operation_id,
        site=o.site,
        app=o.app,
        kind=o.kind,
        state="failed" if failed else "succeeded",
        from_version=o.from_version,
        to_version=o.to_version,
        version=o.version,
        recovered=failed.recovered if failed else None,
        cause=failed.cause.model_dump_json() if failed else None,
        plan=_list(o.plan),
        phases=_list(failed.phases) if failed else "[]",
        evidence=failed.evidence if failed else None,
        strategy_id=o.strategy_id,
        seconds=o.seconds,
        at=event.time,
    )


def _list(models: Sequence[Any]) -> str:
    return f"[{','.join(model.model_dump_json() for model in models)}]"


KINDS = (deployer.OperationProgressed, deployer.OperationSucceeded, deployer.OperationFailed)
