"""Strategies, stages and steps as messages tell them."""

from collections.abc import Sequence
from datetime import datetime

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import Stage, Strategy
from services.strategy_orchestrator.rollout.operation_ids import operation_id
from services.strategy_orchestrator.rollout.reasons import why_now
from services.strategy_orchestrator.store.steps import Step
from services.strategy_orchestrator.store.strategies import StoredStrategy
from services.strategy_orchestrator.strategies.remove import ALREADY_REMOVED
from services.strategy_orchestrator.strategies.site import ALREADY_THERE
from shared.messages.base import Event
from shared.messages.deployer import Requested, RequestOperations
from shared.messages.strategy import StageProgressed, StepChange, StrategyStateChanged, Why
from shared.messages.words import OperationKind, StepState, StrategyAction, StrategyState

WITHOUT_OPERATION = frozenset({ALREADY_THERE, ALREADY_REMOVED})
"""Reasons of complete steps that needed no operation."""


def what_moved(was: Strategy, now: Strategy, at: datetime) -> list[Event]:
    """One event a stage that moved, and one of the strategy where it, its reason or its actions are new.

    In a timeline a strategy begins before its stages, and ends after them.
    """
    both = zip(was.stages, now.stages, strict=True)
    stages = [progress_of(now, stage, at) for before, stage in both if stage != before]
    # A round may begin and end at once, as all its sites are offline: who asked for it waits for its end.
    moved_on = now.state != was.state or (now.state in domain.ENDED and now.round != was.round)
    told = moved_on or _said_of(now) != _said_of(was)
    strategy = [state_event(now, at, renewed=not moved_on)] if told else []
    begins = now.state in domain.LIVE and was.state not in domain.LIVE
    return [*strategy, *stages] if begins else [*stages, *strategy]


def _said_of(strategy: Strategy) -> tuple[StrategyState, Why, tuple[StrategyAction, ...]]:
    return strategy.state, why_now(strategy), domain.actions_of(strategy)


def progress_of(strategy: Strategy, stage: Stage, at: datetime) -> StageProgressed:
    """A stage as it stands, in absolute counts."""
    return StageProgressed(
        strategy_id=strategy.id,
        stage=stage.position,
        name=stage.name,
        state=stage.state,
        counts=stage.counts,
        max_parallel=stage.max_parallel,
        why=stage.why,
        warning=stage.warning,
        at=at,
    )


def state_event(strategy: Strategy, at: datetime, *, renewed: bool = False) -> StrategyStateChanged:
    """The strategy as it stands; `renewed` when only its reason or its actions are new."""
    return StrategyStateChanged(
        strategy_id=strategy.id,
        name=strategy.name,
        state=strategy.state,
        why=why_now(strategy),
        counts=strategy.counts,
        renewed=renewed,
        actions=domain.actions_of(strategy),
        catch_up_until=strategy.catch_up_until if strategy.catch_up_sites else None,
        at=at,
    )


def change_of(step: Step) -> StepChange:
    """A step as it stands."""
    why = Why(code=step.why_code, message=step.why_message or "") if step.why_code else None
    begun = step.state not in {StepState.WAITING, StepState.ABORTED} and step.why_code not in WITHOUT_OPERATION
    return StepChange(
        site=step.site,
        stage=step.stage,
        state=StepState(step.state),
        attempt=step.attempt,
        operation_id=operation_id(step.strategy_id, step.position, step.attempt) if begun else None,
        why=why,
        target=step.target,
    )


def request_of(stored: StoredStrategy, number: int, batch: str, steps: Sequence[Step]) -> RequestOperations:
    """The command that begins the operations of these steps. Where all go to the same release, it says so once.

    `number` is the round of the strategy. It and `force` are said of a prestage alone, which asks for them: a deployer
    of an older version refuses what it does not know.
    """
    prestage = stored.operation is OperationKind.PRESTAGE
    targets = {step.target or stored.version for step in steps}
    alike = len(targets) == 1
    strategy_id = stored.strategy.id
    return RequestOperations(
        batch=f"{strategy_id}/{batch}",
        strategy_id=strategy_id,
        app=stored.app,
        kind=stored.operation,
        version=targets.pop() if alike else stored.version,
        timeout_seconds=stored.spec.get("step_timeout_seconds"),
        again=stored.spec["force"] and not prestage,
        force=stored.spec["force"] and prestage,
        recover=stored.spec.get("recover"),
        reset_overrides=stored.spec.get("reset_overrides"),
        reset_attributes=stored.spec.get("reset_attributes"),
        only_changes=stored.spec.get("only_changes", False),
        round=number if prestage else 1,
        operations=tuple(_requested(step, alike) for step in steps),
    )


def _requested(step: Step, alike: bool) -> Requested:
    identifier = operation_id(step.strategy_id, step.position, step.attempt)
    return Requested(operation_id=identifier, site=step.site, version=None if alike else step.target)
