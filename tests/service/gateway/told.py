"""Events as their owners publish them, with the values that a test does not care for filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.messages import deployer, strategy
from shared.messages.strategy import Counts, Site, StagePlan, StepChange, StrategySpec, Why
from shared.messages.words import DeploymentStatus, OperationKind, StageState, StepState, StrategyState

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    """A moment so many seconds after the start."""
    return START + timedelta(seconds=second)


def sites_changed(*names: str, **facts: Any) -> strategy.SitesChanged:
    return strategy.SitesChanged(sites=tuple(Site(name=name, **facts) for name in names))


def planned(strategy_id: str, name: str, *sizes: int) -> strategy.StrategyPlanned:
    """A strategy whose stages have these numbers of sites."""
    facts = {"name": name, "type": "update", "app": "web", "version": "2.0", "selection": {"all": True}}
    stages = tuple(
        StagePlan(position=i, name=f"stage-{i}", sites=size, max_parallel=2, soak_seconds=5)
        for i, size in enumerate(sizes)
    )
    spec = StrategySpec.model_validate(facts)
    return strategy.StrategyPlanned(strategy_id=strategy_id, spec=spec, stages=stages, created_at=at(0))


def state_changed(strategy_id: str, name: str, state: str, second: float) -> strategy.StrategyStateChanged:
    why = Why(code=f"why_{state}", message=f"because {state}")
    named = {"strategy_id": strategy_id, "name": name, "why": why, "counts": Counts(), "at": at(second)}
    return strategy.StrategyStateChanged(state=StrategyState(state), **named)


def progressed(strategy_id: str, stage: int, state: str, second: float, **counts: int) -> strategy.StageProgressed:
    why = Why(code="max_parallel", message="2 of 2 slots are taken") if counts.get("waiting") else None
    named = {"strategy_id": strategy_id, "stage": stage, "name": f"stage-{stage}", "max_parallel": 2, "why": why}
    return strategy.StageProgressed(state=StageState(state), counts=Counts(**counts), at=at(second), **named)


def stepped(strategy_id: str, second: float, *steps: tuple[str, int, str]) -> strategy.StepsChanged:
    """Steps as (site, stage, state); a failed one says why."""
    broke = Why(code="health", message="answered wrongly")
    changes = tuple(
        StepChange(site=site, stage=stage, state=StepState(state), why=broke if state == "failed" else None)
        for site, stage, state in steps
    )
    return strategy.StepsChanged(strategy_id=strategy_id, steps=changes, at=at(second))


def running(operation_id: str, site: str, percent: int, **more: Any) -> deployer.OperationProgressed:
    named = {"operation_id": operation_id, "site": site, "app": "web", "kind": OperationKind.UPDATE}
    return deployer.OperationProgressed(phase="deploy", percent=percent, **named, **more)


def succeeded(operation_id: str, site: str, **more: Any) -> deployer.OperationSucceeded:
    named = {"operation_id": operation_id, "site": site, "app": "web", "kind": OperationKind.UPDATE}
    versions = {"from_version": "1.0", "to_version": "2.0", "version": "2.0"}
    facts = {**named, **versions, "status": DeploymentStatus.OPERATIONAL, "seconds": 1.5, **more}
    return deployer.OperationSucceeded(**facts)


def all_succeeded(strategy_id: str, *ends: tuple[str, str, int]) -> deployer.OperationsSucceeded:
    """Ends as (operation, site, nth)."""
    operations = tuple(deployer.Succeeded(operation_id=o, site=site, seconds=1.5, nth=nth) for o, site, nth in ends)
    alone = succeeded("o", "a", strategy_id=strategy_id).model_dump(exclude={"operation_id", "site", "seconds", "nth"})
    return deployer.OperationsSucceeded(**alone, operations=operations)


def failed(operation_id: str, site: str, **more: Any) -> deployer.OperationFailed:
    named = {"operation_id": operation_id, "site": site, "app": "web", "kind": OperationKind.UPDATE}
    versions = {"from_version": "1.0", "to_version": "2.0", "version": "1.0"}
    cause = deployer.Cause(code="unhealthy", message="did not answer")
    facts = {**named, **versions, "status": DeploymentStatus.OPERATIONAL, "seconds": 3, "recovered": True, **more}
    return deployer.OperationFailed(cause=cause, **facts)
