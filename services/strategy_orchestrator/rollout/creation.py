"""Handlers that plan strategies: those that people spell out, and the ways back from others."""

from collections.abc import Sequence
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.gates.started import NOT_STARTED
from services.strategy_orchestrator.message_parts import abridged
from services.strategy_orchestrator.planning import Plan
from services.strategy_orchestrator.rollout import plans, publications, undoing
from services.strategy_orchestrator.rollout.undoing import Undoing
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.strategies import Named, NewStrategy
from services.strategy_orchestrator.strategies import UNAVAILABLE, operation_of
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import CreateStrategy, StrategySpec, UndoStrategy
from shared.messages.words import OperationKind
from shared.wire.codec import Envelope

MOST_ID = 175
"""Ids have at most 200 characters, and an operation's is that of its strategy with position and attempt."""


async def create(work: UnitOfWork, batch: Sequence[Envelope[CreateStrategy]]) -> list[Reply]:
    """Validate and plan; what is refused leaves nothing behind."""
    return [await _create(work, envelope) for envelope in batch]


async def _create(work: UnitOfWork, envelope: Envelope[CreateStrategy]) -> Reply:
    spec = envelope.data.spec
    if why := UNAVAILABLE.get(spec.type):
        message = f"a strategy of type {spec.type} cannot be created: {why}"
        return Rejected((_fault("type_unavailable", "spec.type", message, spec.type),))
    if spec.undo is None:
        return await _plan(work, envelope, spec, None)
    undone = await undoing.load(work, spec.undo)
    if undone is None or (faults := undoing.faults_of(undone, spec.undo, "spec.undo", spec.app)):
        return Rejected(faults if undone else undoing.faults_of(None, spec.undo, "spec.undo"))
    spec = spec.model_copy(update={"undo": undone.tracked.now.id})  # a name may be another's tomorrow
    return await _plan(work, envelope, spec, undone)


async def undo(work: UnitOfWork, batch: Sequence[Envelope[UndoStrategy]]) -> list[Reply]:
    """Plan the way back from a strategy, in its own stages."""
    return [await _undo(work, envelope) for envelope in batch]


async def _undo(work: UnitOfWork, envelope: Envelope[UndoStrategy]) -> Reply:
    command = envelope.data
    undone = await undoing.load(work, command.strategy)
    if undone is None or (faults := undoing.faults_of(undone, command.strategy, "strategy")):
        return Rejected(faults if undone else undoing.faults_of(None, command.strategy, "strategy"))
    spec = undoing.spec_of(command, undone, await store.groups.groups(work.conn))
    reply = await _plan(work, envelope, spec, undone)
    return Rejected(tuple(map(_of_the_command, reply.faults))) if isinstance(reply, Rejected) else reply


def _of_the_command(fault: Fault) -> Fault:
    """An undo says by itself what else stands in a spec."""
    return fault.model_copy(update={"field": fault.field.removeprefix("spec.")})


async def _plan(work: UnitOfWork, envelope: Envelope[Any], spec: StrategySpec, undone: Undoing | None) -> Reply:
    target, faults = await plans.target_of(work, spec, undone)
    spec = spec.model_copy(update={"version": target.version})
    clashes = await store.strategies.clashes(work.conn, spec.name, envelope.id)
    faults += [_clash(spec.name, envelope.id, other) for other in clashes]
    if len(envelope.id) > MOST_ID:
        message = f"the id becomes that of the strategy and part of its operations' ids: at most {MOST_ID} characters"
        faults.append(Fault(code=ErrorCode.INVALID_FIELD, field="ce_id", message=message, value=envelope.id))
    if spec.selection.empty and undone is None:
        message = "names no sites, groups or labels; set `all` to mean the whole fleet"
        faults.append(Fault(code="empty_selection", field="spec.selection", message=message))
        return Rejected(tuple(faults))
    made = await plans.made(work, spec, target)
    hidden = "nothing_to_do" if faults else ""  # it follows from an unknown release
    faults += [fault for fault in plans.faults_of(made) if fault.code != hidden]
    if faults:
        return Rejected(tuple(faults))
    if undone is not None:
        await undoing.end(work, undone, spec.name, envelope.actor)
    return await _keep(work, envelope, spec, made, undone.undone.operation if undone else None)


def _clash(name: str, strategy_id: str, other: Named) -> Fault:
    """People and programs say either name or id: neither may be taken for that of another strategy."""
    if other.name == name:
        message = f"there is a strategy '{name}' already; delete it, or take another name"
        return _fault("strategy_exists", "spec.name", message, name)
    if other.id == name:
        message = f"'{name}' is the id of strategy '{other.name}'; take another name"
        return _fault("strategy_exists", "spec.name", message, name)
    message = f"there is a strategy of the name '{strategy_id}'; take another id (over HTTP: Idempotency-Key)"
    return _fault("strategy_exists", "ce_id", message, strategy_id)


async def _keep(
    work: UnitOfWork, envelope: Envelope[Any], spec: StrategySpec, made: Plan, undone: OperationKind | None
) -> Reply:
    """What waits for its release is kept with all the names in its spec: it is planned by them later."""
    strategy_id, publication = envelope.id, spec.publication
    why = domain.awaits(publication, begins=False) if publication else NOT_STARTED
    kept = spec if publication else abridged(spec)[0]
    operation = operation_of(spec.type, spec.force, undone)
    new = NewStrategy(strategy_id, kept, operation, why, envelope.actor, made.left_out)
    await store.strategies.insert_strategy(work.conn, new, work.now)
    if made.stages:
        await store.strategies.insert_plan(work.conn, strategy_id, made, NOT_STARTED)
    (tracked,) = await work.load([strategy_id])
    plans.tell(work, tracked, spec, made)
    if publication:
        await publications.wait(work, tracked)
    sites = sum(stage.sites for stage in made.stages)
    facts = {"strategy_id": strategy_id, "name": spec.name, "stages": len(made.stages), "sites": sites}
    return Accepted({**facts, "excluded": made.left_out, "targets": len(made.summary)})


def _fault(code: str, field: str, message: str, value: Any) -> Fault:
    return Fault(code=code, field=field, message=message, value=value)
