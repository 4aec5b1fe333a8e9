"""Handlers for what people ask of strategies: create, undo, apply, pause, resume, abort, retry, delete."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.message_parts import abridged
from services.strategy_orchestrator.planning import Plan, plan
from services.strategy_orchestrator.rollout import undoing
from services.strategy_orchestrator.rollout.undoing import Undoing
from services.strategy_orchestrator.rollout.unit_of_work import Conductor, Score, state_event
from services.strategy_orchestrator.rollout.watching import cancel_running
from services.strategy_orchestrator.store.row import Row
from services.strategy_orchestrator.store.strategies import NewStrategy
from services.strategy_orchestrator.strategies import Candidate, Target, operation_of
from shared.core.bus import Handlers
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import (
    BATCH,
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    ResumeStrategy,
    RetryFailed,
    Selection,
    StepChange,
    StepsChanged,
    StrategyDeleted,
    StrategyPlanned,
    StrategySpec,
    UndoStrategy,
    Why,
)
from shared.messages.words import OperationKind, StepState
from shared.versions import spelt_as
from shared.wire.codec import Envelope

MOST_ID = 175
"""Ids have at most 200 characters, and an operation's is that of its strategy with position and attempt."""

# -- create -------------------------------------------------------------------------------------------------------


async def create(tx: Transaction, batch: Sequence[Envelope[CreateStrategy]]) -> list[Reply]:
    """Validate and plan; what is refused leaves nothing behind."""
    return [await _create(tx, envelope) for envelope in batch]


async def _create(tx: Transaction, envelope: Envelope[CreateStrategy]) -> Reply:
    conductor, spec = Conductor(tx), envelope.data.spec
    if spec.undo is None:
        return await _plan(conductor, envelope, spec, None)
    undone = await undoing.load(conductor, spec.undo)
    if undone is None or (faults := undoing.faults_of(undone, spec.undo, "spec.undo", spec.app)):
        return Rejected(faults if undone else undoing.faults_of(None, spec.undo, "spec.undo"))
    spec = spec.model_copy(update={"undo": undone.score.now.id})  # a name may be another's tomorrow
    return await _plan(conductor, envelope, spec, undone)


async def undo(tx: Transaction, batch: Sequence[Envelope[UndoStrategy]]) -> list[Reply]:
    """Plan the way back from a strategy, in its own stages."""
    return [await _undo(tx, envelope) for envelope in batch]


async def _undo(tx: Transaction, envelope: Envelope[UndoStrategy]) -> Reply:
    conductor, command = Conductor(tx), envelope.data
    undone = await undoing.load(conductor, command.strategy)
    if undone is None or (faults := undoing.faults_of(undone, command.strategy, "strategy")):
        return Rejected(faults if undone else undoing.faults_of(None, command.strategy, "strategy"))
    spec = undoing.spec_of(command, undone, await store.groups.groups(tx.conn))
    reply = await _plan(conductor, envelope, spec, undone)
    return Rejected(tuple(map(_of_the_command, reply.faults))) if isinstance(reply, Rejected) else reply


def _of_the_command(fault: Fault) -> Fault:
    """An undo says by itself what else stands in a spec."""
    return fault.model_copy(update={"field": fault.field.removeprefix("spec.")})


async def _plan(conductor: Conductor, envelope: Envelope[Any], spec: StrategySpec, undone: Undoing | None) -> Reply:
    tx = conductor.tx
    target, faults = await _target(tx, spec, undone)
    spec = spec.model_copy(update={"version": target.version})
    faults += [
        _clash(spec.name, envelope.id, row) for row in await store.strategies.clashes(tx.conn, spec.name, envelope.id)
    ]
    if len(envelope.id) > MOST_ID:
        message = f"the id becomes that of the strategy and part of its operations' ids: at most {MOST_ID} characters"
        faults.append(Fault(code=ErrorCode.INVALID_FIELD, field="ce_id", message=message, value=envelope.id))
    if spec.selection.empty and undone is None:
        message = "names no sites, groups or labels; set `all` to mean the whole fleet"
        faults.append(Fault(code="empty_selection", field="spec.selection", message=message))
        return Rejected(tuple(faults))
    sites = await _candidates(tx, spec, target)
    passed_by = await _passed_by(tx, spec, {site.name for site in sites})
    made = plan(spec, sites, await store.groups.groups(tx.conn), target, passed_by)
    hidden = "nothing_to_do" if faults else ""  # it follows from an unknown release
    faults += [f.model_copy(update={"field": f"spec.{f.field}"}) for f in made.faults if f.code != hidden]
    if faults:
        return Rejected(tuple(faults))
    if undone is not None:
        await undoing.end(conductor, undone, spec.name, envelope.actor)
    return await _keep(tx, envelope, spec, made, undone.undone.operation if undone else None)


async def _candidates(tx: Transaction, spec: StrategySpec, target: Target) -> Sequence[Candidate]:
    """What was selected; for an undo, of the sites that were changed."""
    selection = spec.selection
    if target.undo is not None and not selection.sites:
        if not target.undo.changed:
            return []  # no name at all would mean every site
        selection = Selection.model_construct(**{**dict(selection), "sites": tuple(target.undo.changed)})
    return await store.sites.candidates(tx.conn, spec.app, selection)


def _clash(name: str, strategy_id: str, row: Row) -> Fault:
    """People and programs say either name or id: neither may be taken for that of another strategy."""
    if row["name"] == name:
        message = f"there is a strategy '{name}' already; delete it, or take another name"
        return _fault("strategy_exists", "spec.name", message, name)
    if row["id"] == name:
        message = f"'{name}' is the id of strategy '{row['name']}'; take another name"
        return _fault("strategy_exists", "spec.name", message, name)
    message = f"there is a strategy of the name '{strategy_id}'; take another id (over HTTP: Idempotency-Key)"
    return _fault("strategy_exists", "ce_id", message, strategy_id)


async def _passed_by(tx: Transaction, spec: StrategySpec, selected: set[str]) -> frozenset[str]:
    """Named sites that there are, but that the rest of the selection does not hold."""
    missing = [name for name in spec.selection.sites if name not in selected]
    return frozenset(await store.sites.known_sites(tx.conn, missing) if missing else ())


async def _target(tx: Transaction, spec: StrategySpec, undone: Undoing | None) -> tuple[Target, list[Fault]]:
    """The release to reach, with its version as the release is written: who asks for 1.0 may mean 1.0.0."""
    releases = await store.releases.releases_of(tx.conn, spec.app)
    target = Target(spec.app, spec.version, spec.force, releases, undone.undone if undone else None)
    if not releases:
        message = f"there is no app '{spec.app}'; publish a release of it first"
        return target, [_fault("unknown_app", "spec.app", message, spec.app)]
    if spec.version is None:
        return target, []
    version = spelt_as(next(iter(releases.values())).scheme, spec.version, releases)
    release = releases.get(version or "")
    if version is not None and release is not None and not release.withdrawn:
        return replace(target, version=version), []
    known = ", ".join(sorted(version for version, known in releases.items() if not known.withdrawn)) or "none"
    message = f"release {spec.version} of {spec.app} {'is withdrawn' if release else 'is unknown'}; available: {known}"
    target = replace(target, releases={})  # said once; not of each site as well
    return target, [_fault("unknown_release", "spec.version", message, spec.version)]


async def _keep(
    tx: Transaction, envelope: Envelope[Any], spec: StrategySpec, made: Plan, undone: OperationKind | None
) -> Reply:
    strategy_id, left_out = envelope.id, made.left_out
    spec, unnamed = abridged(spec)
    why = Why(code="not_started", message="the strategy is ready and was not applied yet")
    new = NewStrategy(strategy_id, spec, operation_of(spec.type, spec.force, undone), why, envelope.actor, left_out)
    await store.strategies.insert_strategy(tx.conn, new, tx.now)
    await store.strategies.insert_plan(tx.conn, strategy_id, made)
    (score,) = await Conductor(tx).load([strategy_id])
    planned = StrategyPlanned(
        strategy_id=strategy_id,
        spec=spec,
        names_left_out=unnamed,
        stages=tuple(made.stages),
        excluded=tuple(made.excluded),
        excluded_count=left_out,
        targets=made.summary,
        created_by=envelope.actor,
        created_at=tx.now,
    )
    score.emit(tx, planned)
    _list_steps(tx, score, made)
    await store.strategies.save_strategies(tx.conn, [_only_sequence(score)])
    sites = sum(stage.sites for stage in made.stages)
    facts = {"strategy_id": strategy_id, "name": spec.name, "stages": len(made.stages), "sites": sites}
    return Accepted({**facts, "excluded": left_out, "targets": len(made.summary)})


def _list_steps(tx: Transaction, score: Score, made: Plan) -> None:
    """In batches; each is text before the next is made, or 100,000 steps would take 100 MiB."""
    places = [(site, number, made.targets.get(site)) for number, sites in enumerate(made.sites) for site in sites]
    for start in range(0, len(places), BATCH):
        steps = tuple(_waiting(*place) for place in places[start : start + BATCH])
        score.emit(tx, StepsChanged.model_construct(strategy_id=score.now.id, steps=steps, at=tx.now))
    score.emit(tx, state_event(score.now, tx.now))


def _waiting(site: str, stage: int, target: str | None) -> StepChange:
    facts = {"site": site, "stage": stage, "target": target}
    return StepChange(**facts, state=StepState.WAITING, attempt=1, operation_id=None, why=None)


def _only_sequence(score: Score) -> tuple[Any, ...]:
    row = score.row
    return (row["id"], row["state"], row["ends_as"], row["why_code"], row["why_message"], score.sequence, None, None, 0)


# -- move ---------------------------------------------------------------------------------------------------------

Change = Callable[[Conductor, Score, Transaction, Envelope[Any]], Awaitable[None]]
"""Changes a strategy; raises Refused when that cannot be."""


def moving(change: Change) -> Callable[[Transaction, Sequence[Envelope[Any]]], Awaitable[list[Reply]]]:
    """A handler that finds the strategy of each command, changes it, and carries out what follows."""

    async def handler(tx: Transaction, batch: Sequence[Envelope[Any]]) -> list[Reply]:
        return [await _move(tx, envelope, change) for envelope in batch]

    return handler


async def _move(tx: Transaction, envelope: Envelope[Any], change: Change) -> Reply:
    reference = envelope.data.strategy
    strategy_id = await store.strategies.find_strategy(tx.conn, reference)
    conductor = Conductor(tx)
    scores = await conductor.load([strategy_id]) if strategy_id else []
    if not scores or scores[0].row["deleted_at"] is not None:
        word = "was deleted" if scores else "does not exist"
        return Rejected.because("unknown_strategy", f"strategy '{reference}' {word}", "strategy", reference)
    try:
        async with tx.conn.transaction():  # a savepoint: what is refused half-way leaves nothing
            await change(conductor, scores[0], tx, envelope)
    except Refused as error:
        return Rejected(error.faults)
    await conductor.finish()
    return Accepted({"strategy_id": strategy_id, "state": scores[0].now.state})


async def _apply(conductor: Conductor, score: Score, _tx: Transaction, envelope: Envelope[Any]) -> None:
    score.now = domain.apply(score.now, envelope.actor, envelope.data.reason)
    await conductor.hold(score)
    if not score.now.counts.waiting:
        message = f"nothing is left to do in strategy {score.now.name}: sites were removed, or releases withdrawn"
        raise Refused(_fault("nothing_to_do", "strategy", message, score.now.name))


async def _pause(_conductor: Conductor, score: Score, _tx: Transaction, envelope: Envelope[Any]) -> None:
    score.now = domain.pause(score.now, envelope.actor, envelope.data.reason)


async def _resume(_conductor: Conductor, score: Score, _tx: Transaction, envelope: Envelope[Any]) -> None:
    score.now = domain.resume(score.now, envelope.actor, envelope.data.reason)


async def _abort(_conductor: Conductor, score: Score, _tx: Transaction, envelope: Envelope[Any]) -> None:
    score.now = domain.abort(score.now, envelope.actor, envelope.data.reason)


async def _retry(conductor: Conductor, score: Score, tx: Transaction, envelope: Envelope[Any]) -> None:
    score.now = domain.retry(score.now, envelope.actor, envelope.data.reason)
    rows = await store.steps.reopen_steps(tx.conn, score.now.id)
    score.note(rows)
    await conductor.hold(score)
    for row in rows:
        score.cursors[row["stage"]] = min(score.cursors[row["stage"]], row["position"])


async def _delete(_conductor: Conductor, score: Score, tx: Transaction, envelope: Envelope[Any]) -> None:
    domain.check_deletable(score.now)
    sequence = await store.strategies.delete_strategy(tx.conn, score.now.id, tx.now)
    about = {"strategy_id": score.now.id, "name": score.now.name, "by": envelope.actor, "reason": envelope.data.reason}
    event = StrategyDeleted(**about, at=tx.now)
    tx.emit(event, sequence=sequence or 0, cause=envelope)


apply, pause, resume = moving(_apply), moving(_pause), moving(_resume)
abort, retry, delete = moving(_abort), moving(_retry), moving(_delete)
cancel = moving(cancel_running)

HANDLERS: Handlers = {
    CreateStrategy: create,
    ApplyStrategy: apply,
    PauseStrategy: pause,
    ResumeStrategy: resume,
    AbortStrategy: abort,
    CancelRunning: cancel,
    RetryFailed: retry,
    UndoStrategy: undo,
    DeleteStrategy: delete,
}


def _fault(code: str, field: str, message: str, value: Any) -> Fault:
    return Fault(code=code, field=field, message=message, value=value)
