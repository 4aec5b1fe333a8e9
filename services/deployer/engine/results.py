"""What runners write and say: how far operations have come, and how they ended."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.deployer import course as courses
from services.deployer.automatic import aftermath
from services.deployer.automatic.aftermath import End
from services.deployer.course import Course
from services.deployer.domain import AUTOMATIC, Deployment, Outcome, after, returns_to, status_during
from services.deployer.engine.execution import Execution
from services.deployer.evidence import told_phases
from services.deployer.overrides.told import Dropped, drop
from services.deployer.phases import LEAVING, Leg
from services.deployer.plan import Content, Ground, Plan, Recorded
from services.deployer.prestage.policy import left_by
from services.deployer.secrets.rotation import NO_SECRETS, oldest
from services.deployer.site_runs.store import note_ends
from services.deployer.store import FinishedRow, Pair, SavedRow, Store
from shared.core.transaction import Transaction
from shared.frozen import light_dataclass
from shared.messages.base import Message
from shared.messages.deployer import (
    OPERATIONS_AT_ONCE,
    Cause,
    ComponentDecision,
    OperationFailed,
    OperationProgressed,
    OperationsSucceeded,
    OperationSucceeded,
    Prestaged,
    SecretVersion,
    Succeeded,
)
from shared.messages.words import DeploymentStatus

PRESTAGES_AT_ONCE = 50
"""Told together: each says what lies on its site, up to MOST_PRESTAGED releases, and a record must fit its topic."""

# -- while it lasts -----------------------------------------------------------------------------------------------


async def save(tx: Transaction, runner: str, executions: Iterable[tuple[Execution, Course]]) -> set[str]:
    """Keep how far they have come; returns the ids of those that are still ours."""
    saved = (_saved(execution, course) for execution, course in executions)
    return set(await Store(tx.conn).save_courses(runner, saved, told=False))


async def tell(tx: Transaction, runner: str, executions: Sequence[Execution]) -> set[str]:
    """Keep how far they have come and say so; returns the ids of those that are still ours."""
    saved = (_saved(execution, execution.course) for execution in executions)
    numbers = await Store(tx.conn).save_courses(runner, saved, told=True)
    for execution in executions:
        if execution.claim.id in numbers:
            _say(tx, _progressed(execution), execution, numbers[execution.claim.id])
    return set(numbers)


def _saved(execution: Execution, course: Course) -> SavedRow:
    return SavedRow(execution.claim.id, course, "running" if course.leg is Leg.FORWARD else "recovering")


def _progressed(execution: Execution) -> OperationProgressed:
    operation, course = execution.operation, execution.course
    during = status_during(execution.ground.deployment, operation.kind)
    return OperationProgressed(
        operation_id=operation.id,
        site=operation.site,
        app=operation.app,
        kind=operation.kind,
        status=during if course.leg is Leg.FORWARD else DeploymentStatus.RECOVERING,
        phase=courses.name_of(course),
        percent=courses.percent(course, execution.progress),
        plan=course.plan,
        doing=courses.doing(course, execution.progress),
        strategy_id=operation.strategy_id,
        publication=operation.publication,
    )


def _say(tx: Transaction, message: Message, execution: Execution, number: int) -> None:
    origin = execution.operation
    tx.emit(message, sequence=number, correlation_id=origin.correlation_id, actor=origin.actor)


# -- when it has ended --------------------------------------------------------------------------------------------


@light_dataclass(frozen=True, slots=True)
class Ended:
    """An execution with how it ended."""

    execution: Execution
    outcome: Outcome
    deployment: Deployment
    recorded: Sequence[Recorded] = ()
    """Of each component of the release that runs now, where the driver recorded one."""
    over: Sequence[Recorded] = ()
    """What was recorded of the same release, of components that it runs without now."""
    secrets: tuple[SecretVersion, ...] | None = None
    """With which versions of secrets that was deployed which runs now; None = with none."""
    prestaged: tuple[Prestaged, ...] | None = None
    """Of a prestage: what lies on its site now."""

    @staticmethod
    def of(execution: Execution, history_kept: int, now: datetime) -> "Ended":
        """How the execution's course leaves its site."""
        operation, ground, course = execution.operation, execution.ground, execution.course
        outcome = courses.outcome(course, operation)
        lies = left_by(operation, ground, course, now) if operation.kind in LEAVING else None
        deployment = after(ground.deployment, operation, outcome, history_kept)
        runs = _runs(execution, outcome, deployment.version)
        recorded, over = (_recorded(execution, runs), _over(ground, runs)) if runs else ([], [])
        secrets = _secrets(recorded, ground, deployment.version)
        return Ended(execution, outcome, deployment, recorded, over, secrets, lies)

    @property
    def succeeded(self) -> bool:
        """Whether the site is on the wanted release."""
        return self.outcome is Outcome.SUCCEEDED

    @property
    def alone(self) -> bool:
        """Whether it is told by itself; what strategies succeed in is told together."""
        operation, course = self.execution.operation, self.execution.course
        return not self.succeeded or operation.strategy_id is None or bool(courses.told_of(course))

    @property
    def plan(self) -> Plan:
        """The plan that was followed forward."""
        return self.execution.course.failed_plan or self.execution.course.plan


def _runs(execution: Execution, outcome: Outcome, version: str | None) -> Content | None:
    """The release that runs now, as it runs; None where there is none, or nothing new is known of it."""
    if execution.operation.kind in LEAVING or outcome in (Outcome.LOST, Outcome.UNTOUCHED):
        return None
    ground = execution.ground
    return ground.before(version) if outcome is Outcome.RECOVERED else ground.contents.get(version or "")


def _over(ground: Ground, runs: Content) -> list[Recorded]:
    """Of components that were switched off while their release stayed: else they would count as deployed for ever."""
    return [r for r in ground.recorded if r.version == runs.version and r.component not in runs.components]


def _recorded(execution: Execution, content: Content) -> list[Recorded]:
    course = execution.course
    return [
        _record(execution, content, w, revision)
        for w in course.plan
        if w.component in content.components
        and (revision := course.revisions.get(w.component) or (w.revision if w.action == "keep" else None))
    ]


def _record(execution: Execution, content: Content, way: ComponentDecision, revision: str) -> Recorded:
    name = way.component
    brought = execution.secrets.get(name, NO_SECRETS)
    if way.action != "apply":  # what was recorded lies there again, or still
        ground = execution.ground
        version = content.version if way.action == "rollback" else ground.deployment.version
        before = ground.revision(name, version)
        brought = before.secrets if before else brought
    return Recorded(name, content.version, revision, way.driver, content.digests[name], brought)


def _secrets(recorded: Sequence[Recorded], ground: Ground, version: str | None) -> tuple[SecretVersion, ...] | None:
    kept = recorded or [record for record in ground.recorded if record.version == version]
    some = [record.secrets for record in kept if record.secrets]
    return tuple(SecretVersion(name=n, version=v) for n, v in oldest(some)) if some else None


async def finish(tx: Transaction, runner: str, executions: Sequence[Execution], history_kept: int) -> None:
    """Write the results of all that has ended, and say so, in one transaction; of those still ours only."""
    ended = [Ended.of(execution, history_kept, tx.now) for execution in executions]
    store = Store(tx.conn)
    numbers = await store.finish_operations(runner, [_finished_row(end) for end in ended], tx.now)
    ended = await _without_deleted(store, [end for end in ended if end.execution.claim.id in numbers])
    counts = await _write(store, ended)
    done = [end.execution.operation for end in ended if end.succeeded and end.execution.operation.kind not in LEAVING]
    if dropped := [Dropped(o.app, o.site, o.terms.dropped, o.id, o.actor) for o in done if o.terms.dropped]:
        await drop(tx, dropped)
    if some := [end for end in ended if not end.succeeded or end.execution.operation.actor == AUTOMATIC]:
        await aftermath.note(tx, [End(e.execution.operation, e.outcome, e.execution.course.cause) for e in some])
    if runs := [end for end in ended if end.execution.operation.run_id]:
        await note_ends(tx.conn, [_of_run(end) for end in runs])
    for end in ended:
        if end.alone:
            identifier = end.execution.claim.id
            _say(tx, _told_alone(end, counts[identifier], tx.now), end.execution, numbers[identifier])
    _say_together(tx, [end for end in ended if not end.alone], counts)


async def _without_deleted(store: Store, ended: Sequence[Ended]) -> list[Ended]:
    """A release may have been deleted since the operation began: a site cannot go back to it any more."""
    histories = {(end.execution.operation.app, end.deployment.history) for end in ended}
    named = {(app, version) for app, history in histories for version in history}
    gone = named - await store.keep_releases(named) if named else set()
    return [_without(gone, end) for end in ended] if gone else list(ended)


def _without(gone: Set[Pair], end: Ended) -> Ended:
    app, deployment = end.execution.operation.app, end.deployment
    history = tuple(version for version in deployment.history if (app, version) not in gone)
    return replace(end, deployment=replace(deployment, history=history))


def _of_run(end: Ended) -> tuple[str, str, Cause | None]:
    """What the run is told that an operation is part of."""
    if end.succeeded:
        return end.execution.claim.id, "updated", None
    return end.execution.claim.id, "failed", end.execution.course.cause


async def _write(store: Store, ended: Sequence[Ended]) -> dict[str, int]:
    """Returns by operation the how many-th it was on its site."""
    if not ended:
        return {}
    left = [(end.execution.operation, end.deployment) for end in ended]
    counts = await store.put_deployments(left)
    if recorded := [(o.site, o.app, each) for end, (o, _) in zip(ended, left, strict=True) for each in end.recorded]:
        await store.put_revisions(recorded)
    if over := [(o.site, o.app, each) for end, (o, _) in zip(ended, left, strict=True) for each in end.over]:
        await store.drop_components(over)
    if gone := [(o.site, o.app) for o, deployment in left if not deployment.exists]:
        await store.drop_revisions(gone)
    if lies := [(end.execution.operation, end.prestaged) for end in ended if end.prestaged is not None]:
        await store.prestages.put_prestaged([(o.site, o.app, each) for o, each in lies])
    return counts


def _finished_row(end: Ended) -> FinishedRow:
    return FinishedRow(end.execution.claim.id, "succeeded" if end.succeeded else "failed", end.plan, end.alone)


def _say_together(tx: Transaction, ended: Sequence[Ended], counts: dict[str, int]) -> None:
    """One event for those of a strategy that say the same but for their sites."""
    alike: dict[tuple[Any, ...], list[Ended]] = {}
    for end in ended:
        operation = end.execution.operation
        origin = (operation.strategy_id, operation.correlation_id, operation.actor)
        alike.setdefault((*origin, *_facts(end).values()), []).append(end)
    for (strategy_id, correlation_id, actor, *_), ends in alike.items():
        facts, told = _facts(ends[0]), [_one_of_them(end, counts, tx.now) for end in ends]
        at_once = PRESTAGES_AT_ONCE if ends[0].prestaged is not None else OPERATIONS_AT_ONCE
        for start in range(0, len(told), at_once):
            chunk = tuple(told[start : start + at_once])
            event = OperationsSucceeded(strategy_id=strategy_id, **facts, operations=chunk)
            tx.emit(event, correlation_id=correlation_id, actor=actor)


def _one_of_them(end: Ended, counts: dict[str, int], now: datetime) -> Succeeded:
    operation = end.execution.operation
    seconds, nth, sent = _seconds(end, now), counts[operation.id], end.execution.course.sent.bytes
    if not sent and end.prestaged is None:  # nearly all
        return Succeeded(operation_id=operation.id, site=operation.site, seconds=seconds, nth=nth)
    about = {"operation_id": operation.id, "site": operation.site, "seconds": seconds, "nth": nth}
    return Succeeded(**about, fetched_bytes=sent, prestaged=end.prestaged)


def _told_alone(end: Ended, nth: int, now: datetime) -> OperationSucceeded | OperationFailed:
    operation, course = end.execution.operation, end.execution.course
    about = {"operation_id": operation.id, "site": operation.site, "strategy_id": operation.strategy_id}
    facts: dict[str, Any] = {**about, **_facts(end), "seconds": _seconds(end, now), "nth": nth}
    facts |= {"fetched_bytes": course.sent.bytes, "prestaged": end.prestaged}
    if end.succeeded:
        # Whoever asked for it alone looks at how it went; a strategy's success is looked at by nobody.
        phases = course.phases if operation.strategy_id is None else courses.told_of(course)
        return OperationSucceeded(**facts, phases=told_phases(phases))
    return OperationFailed(
        **facts,
        recovered=end.outcome is not Outcome.LOST,
        cause=course.cause or Cause(code="unknown", message="the driver gave no reason"),
        phases=told_phases(course.phases),
        last_lines=course.last_lines,
    )


def _facts(end: Ended) -> dict[str, Any]:
    """What operations that ended together mostly share."""
    operation = end.execution.operation
    return {
        "app": operation.app,
        "kind": operation.kind,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
        "version": end.deployment.version,
        "status": end.deployment.status,
        "plan": end.plan,
        "history": returns_to(end.deployment),
        "overrides": end.deployment.overrides.get(end.deployment.version or ""),
        "secrets": end.secrets,
    }


def _seconds(end: Ended, now: datetime) -> float:
    return round((now - end.execution.course.began).total_seconds(), 3)
