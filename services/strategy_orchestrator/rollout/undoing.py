"""What undoing a strategy stands on: what it did, whether it may be undone now, and its stages for the way back."""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.message_parts import NAMES_KEPT, names_in
from services.strategy_orchestrator.rollout.offline_steps import end_catching_up
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.strategies import Undone
from shared.messages.base import Fault
from shared.messages.strategy import Selection, StageSpec, StrategySpec, UndoStrategy
from shared.messages.words import StrategyAction, StrategyState, StrategyType

MOST_STAGES = 500
"""What a spec may have; one of them is for the sites that no other stage takes on the way back."""


MORE = {
    StrategyState.WAITING: "it was never applied",
    StrategyState.READY: "it was never applied",
    StrategyState.NEEDS_INSPECTION: "and has to be recounted first",
}
"""Why a strategy in that state cannot be undone."""


class Undoing(NamedTuple):
    """A strategy that is to be undone, locked, with what it did."""

    tracked: TrackedStrategy
    undone: Undone
    stages: tuple[StageSpec, ...]
    """Its stages: as its spec has them, or with the sites they had where the spec was kept without some names."""


async def load(work: UnitOfWork, reference: str) -> Undoing | None:
    """The strategy with this id or name, which may have been deleted; None when there is none."""
    strategy_id = await store.strategies.find_strategy(work.conn, reference)
    strategies = await work.load([strategy_id]) if strategy_id else []
    if not strategies:
        return None
    (tracked,) = strategies
    changed = await store.steps.changed_by(work.conn, tracked.now.id)
    spec = StrategySpec.model_validate(tracked.stored.spec)
    stages = spec.stages
    if names_in(spec) >= NAMES_KEPT:
        stages = stages_had(stages, await store.steps.changed_in_stages(work.conn, tracked.now.id))
    return Undoing(tracked, Undone(tracked.now.name, tracked.stored.operation, changed), stages)


def stages_had(stages: Sequence[StageSpec], sites: Mapping[str, Sequence[str]]) -> tuple[StageSpec, ...]:
    """Stages that name the sites they had: one of which the kept spec names none any more would be open to all."""
    return tuple(
        stage.model_copy(update={"sites": tuple(sites[stage.name]), "groups": (), "labels": {}, "take": None})
        for stage in stages
        if stage.name in sites
    )


def faults_of(undoing: Undoing | None, reference: str, field: str, app: str | None = None) -> tuple[Fault, ...]:
    """Why it cannot be undone now; empty when it can. Sites still running would be missed by the way back."""
    if undoing is None:
        return (Fault(code="unknown_strategy", field=field, message=f"strategy '{reference}' does not exist"),)
    strategy = undoing.tracked.now
    if app is not None and app != undoing.tracked.stored.app:
        message = f"strategy {strategy.name} is about {undoing.tracked.stored.app}, not about {app}"
        return (Fault(code="invalid_field", field=field, message=message, value=reference),)
    if strategy.no_way_back:
        message = f"cannot undo strategy {strategy.name}: {strategy.no_way_back}"
        return (Fault(code="not_undoable", field=field, message=message, value=reference),)
    if StrategyAction.UNDO in domain.ACTIONS[strategy.state] and not strategy.counts.running:
        return ()
    running = f"with {strategy.counts.running} sites running; abort it, and wait until it has ended"
    more = MORE.get(strategy.state, running)
    message = f"cannot undo strategy {strategy.name}: it is {strategy.state}, {more}"
    return (Fault(code="wrong_state", field=field, message=message, value=strategy.state),)


async def end(work: UnitOfWork, undoing: Undoing, by: str, actor: str) -> None:
    """A paused strategy gives its sites up to the one that undoes it; what was offline is not tried again."""
    await end_catching_up(work, undoing.tracked)
    if undoing.tracked.now.state is StrategyState.PAUSED:
        undoing.tracked.now = domain.abort(undoing.tracked.now, actor, f"undone by strategy {by}")
        await work.settle(undoing.tracked)


def spec_of(command: UndoStrategy, undoing: Undoing, groups: Container[str]) -> StrategySpec:
    """The spec of the way back: that of the strategy, but for what the command says. `groups` are those there are."""
    spec, undone = StrategySpec.model_validate(undoing.tracked.stored.spec), undoing.undone
    given = {
        name: value
        for name in ("max_parallel", "apply_type", "on_failure", "step_timeout_seconds")
        if (value := getattr(command, name)) is not None
    }
    description = f"undoes {spec.name}: {command.reason}" if command.reason else f"undoes {spec.name}"
    goal = {"version": None, "publication": None, "undo": undoing.tracked.now.id}
    facts = {"type": StrategyType.ROLLBACK, "force": False, **goal}
    return spec.model_copy(
        update={
            **facts,
            **given,
            "name": command.name or f"undo-{spec.name}"[:100].rstrip("._-"),
            "description": description[:1_000],
            "selection": command.selection or Selection(),
            "stages": command.stages or stages_back(undoing.stages, undone.changed, groups),
        }
    )


def stages_back(
    stages: tuple[StageSpec, ...], changed: Container[str], groups: Container[str]
) -> tuple[StageSpec, ...]:
    """The stages of a strategy for those of its sites that it changed: it may have ended before it came to the others.

    What only named sites that were not changed, or groups that are gone, is left away; one stage more takes whatever
    the others leave.
    """
    kept = [back for stage in stages if (back := _stage_back(stage, changed, groups)) is not None][: MOST_STAGES - 1]
    if kept and _takes_all(kept[-1]):
        return tuple(kept)
    names = {stage.name for stage in kept}
    name = next(name for n in range(len(kept) + 1) if (name := f"rest-{n}" if n else "rest") not in names)
    return (*kept, StageSpec(name=name, optional=True))


def _stage_back(stage: StageSpec, changed: Container[str], groups: Container[str]) -> StageSpec | None:
    sites = tuple(name for name in stage.sites if name in changed)
    known = tuple(name for name in stage.groups if name in groups)
    if (stage.sites and not sites) or (stage.groups and not known):
        return None
    return stage.model_copy(update={"sites": sites, "groups": known, "optional": True})


def _takes_all(stage: StageSpec) -> bool:
    return stage.take is None and not (stage.sites or stage.groups or stage.labels)
