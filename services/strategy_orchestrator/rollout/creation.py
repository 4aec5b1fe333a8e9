"""Handlers that plan strategies: those that people spell out, and the ways back from others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.strategy_orchestrator import store
from services.strategy_orchestrator.gates.started import NOT_STARTED
from services.strategy_orchestrator.message_parts import abridged
from services.strategy_orchestrator.planning import Plan, plan
from services.strategy_orchestrator.rollout import undoing
from services.strategy_orchestrator.rollout.events import state_event
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.undoing import Undoing
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.strategies import Named, NewStrategy
from services.strategy_orchestrator.strategies import UNAVAILABLE, Candidate, Target, operation_of
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import (
    BATCH,
    CreateStrategy,
    Selection,
    StepChange,
    StepsChanged,
    StrategyPlanned,
    StrategySpec,
    UndoStrategy,
)
from shared.messages.words import OperationKind, StepState
from shared.versions import spelt_as
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
    target, faults = await _target(work, spec, undone)
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
    sites = await _candidates(work, spec, target)
    passed_by = await _passed_by(work, spec, {site.name for site in sites})
    made = plan(spec, sites, await store.groups.groups(work.conn), target, passed_by)
    hidden = "nothing_to_do" if faults else ""  # it follows from an unknown release
    faults += [f.model_copy(update={"field": f"spec.{f.field}"}) for f in made.faults if f.code != hidden]
    if faults:
        return Rejected(tuple(faults))
    if undone is not None:
        await undoing.end(work, undone, spec.name, envelope.actor)
    return await _keep(work, envelope, spec, made, undone.undone.operation if undone else None)


async def _candidates(work: UnitOfWork, spec: StrategySpec, target: Target) -> Sequence[Candidate]:
    """What was selected; for an undo, of the sites that were changed."""
    selection = spec.selection
    if target.undo is not None and not selection.sites:
        if not target.undo.changed:
            return []  # no name at all would mean every site
        selection = Selection.model_construct(**{**dict(selection), "sites": tuple(target.undo.changed)})
    return await store.sites.candidates(work.conn, spec.app, selection)


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


async def _passed_by(work: UnitOfWork, spec: StrategySpec, selected: set[str]) -> frozenset[str]:
    """Named sites that there are, but that the rest of the selection does not hold."""
    missing = [name for name in spec.selection.sites if name not in selected]
    return frozenset(await store.sites.known_sites(work.conn, missing) if missing else ())


async def _target(work: UnitOfWork, spec: StrategySpec, undone: Undoing | None) -> tuple[Target, list[Fault]]:
    """The release to reach, with its version as the release is written: who asks for 1.0 may mean 1.0.0."""
    releases = await store.releases.releases_of(work.conn, spec.app)
    undo = undone.undone if undone else None
    target = Target(spec.app, spec.version, spec.force, releases, undo, spec.only_changes)
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
    work: UnitOfWork, envelope: Envelope[Any], spec: StrategySpec, made: Plan, undone: OperationKind | None
) -> Reply:
    strategy_id, left_out = envelope.id, made.left_out
    spec, unnamed = abridged(spec)
    new = NewStrategy(
        strategy_id, spec, operation_of(spec.type, spec.force, undone), NOT_STARTED, envelope.actor, left_out
    )
    await store.strategies.insert_strategy(work.conn, new, work.now)
    await store.strategies.insert_plan(work.conn, strategy_id, made, NOT_STARTED)
    (tracked,) = await work.load([strategy_id])
    planned = StrategyPlanned(
        strategy_id=strategy_id,
        spec=spec,
        names_left_out=unnamed,
        stages=tuple(made.stages),
        excluded=tuple(made.excluded),
        excluded_count=left_out,
        targets=made.summary,
        created_by=envelope.actor,
        created_at=work.now,
    )
    tracked.emit(work, planned)
    _list_steps(work, tracked, made)
    sites = sum(stage.sites for stage in made.stages)
    facts = {"strategy_id": strategy_id, "name": spec.name, "stages": len(made.stages), "sites": sites}
    return Accepted({**facts, "excluded": left_out, "targets": len(made.summary)})


def _list_steps(work: UnitOfWork, tracked: TrackedStrategy, made: Plan) -> None:
    """In batches; each is text before the next is made, or 100,000 steps would take 100 MiB."""
    places = [(site, number, made.targets.get(site)) for number, sites in enumerate(made.sites) for site in sites]
    for start in range(0, len(places), BATCH):
        steps = tuple(_waiting(*place) for place in places[start : start + BATCH])
        tracked.emit(work, StepsChanged.model_construct(strategy_id=tracked.now.id, steps=steps, at=work.now))
    tracked.emit(work, state_event(tracked.now, work.now))


def _waiting(site: str, stage: int, target: str | None) -> StepChange:
    facts = {"site": site, "stage": stage, "target": target}
    return StepChange(**facts, state=StepState.WAITING, attempt=1, operation_id=None, why=None)


def _fault(code: str, field: str, message: str, value: Any) -> Fault:
    return Fault(code=code, field=field, message=message, value=value)
