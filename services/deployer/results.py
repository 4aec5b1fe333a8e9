"""What runners write and say: how far operations have come, and how they ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.deployer import course as courses
from services.deployer.course import Course, Leg
from services.deployer.domain import Deployment, Outcome, after, status_during
from services.deployer.evidence import told_phases
from services.deployer.plan import Plan, Recorded
from services.deployer.store import Finished, Saved, Store
from services.deployer.work import Work
from shared.core.transaction import Transaction
from shared.messages.base import Message
from shared.messages.deployer import (
    OPERATIONS_AT_ONCE,
    Cause,
    OperationFailed,
    OperationProgressed,
    OperationsSucceeded,
    OperationSucceeded,
    Succeeded,
)
from shared.messages.words import DeploymentStatus

# -- while it lasts -----------------------------------------------------------------------------------------------


async def save(tx: Transaction, runner: str, works: Iterable[tuple[Work, Course]]) -> set[str]:
    """Keep how far they have come; returns the ids of those that are still ours."""
    saved = (_saved(work, course) for work, course in works)
    return set(await Store(tx.conn).save_courses(runner, saved, told=False))


async def tell(tx: Transaction, runner: str, works: Sequence[Work]) -> set[str]:
    """Keep how far they have come and say so; returns the ids of those that are still ours."""
    saved = (_saved(work, work.course) for work in works)
    numbers = await Store(tx.conn).save_courses(runner, saved, told=True)
    for work in works:
        if work.claim.id in numbers:
            _say(tx, _progressed(work), work, numbers[work.claim.id])
    return set(numbers)


def _saved(work: Work, course: Course) -> Saved:
    return Saved(work.claim.id, course, "running" if course.leg is Leg.FORWARD else "recovering")


def _progressed(work: Work) -> OperationProgressed:
    operation, course = work.operation, work.course
    during = status_during(work.ground.deployment, operation.kind)
    return OperationProgressed(
        operation_id=operation.id,
        site=operation.site,
        app=operation.app,
        kind=operation.kind,
        status=during if course.leg is Leg.FORWARD else DeploymentStatus.RECOVERING,
        phase=courses.name_of(course),
        percent=courses.percent(course, work.progress),
        plan=course.plan,
        strategy_id=operation.strategy_id,
    )


def _say(tx: Transaction, message: Message, work: Work, number: int) -> None:
    origin = work.operation
    tx.emit(message, sequence=number, correlation_id=origin.correlation_id, actor=origin.actor)


# -- when it has ended --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """A work with how it ended."""

    work: Work
    outcome: Outcome
    deployment: Deployment

    @staticmethod
    def of(work: Work, history_kept: int) -> "Ended":
        """How the work's course leaves its site."""
        outcome = courses.outcome(work.course, work.operation)
        return Ended(work, outcome, after(work.ground.deployment, work.operation, outcome, history_kept))

    @property
    def succeeded(self) -> bool:
        """Whether the site is on the wanted release."""
        return self.outcome is Outcome.SUCCEEDED

    @property
    def alone(self) -> bool:
        """Whether it is told by itself; what strategies succeed in is told together."""
        return not self.succeeded or self.work.operation.strategy_id is None

    @property
    def plan(self) -> Plan:
        """The plan that was followed forward."""
        return self.work.course.failed_plan or self.work.course.plan

    @property
    def recorded(self) -> list[tuple[str, str, Recorded]]:
        """Site, app and record of each component of the release that runs now, where the driver recorded one."""
        version, ground, course = self.deployment.version, self.work.ground, self.work.course
        content = ground.contents.get(version or "")
        if content is None or self.outcome in (Outcome.LOST, Outcome.UNTOUCHED):
            return []
        site, app = self.work.operation.site, self.work.operation.app
        return [
            (site, app, Recorded(w.component, content.version, revision, w.driver, content.digests[w.component]))
            for w in course.plan
            if w.component in content.components
            and (revision := course.revisions.get(w.component) or (w.revision if w.action == "keep" else None))
        ]


async def finish(tx: Transaction, runner: str, works: Sequence[Work], history_kept: int) -> None:
    """Write the results of all that has ended, and say so, in one transaction; of those still ours only."""
    ended = [Ended.of(work, history_kept) for work in works]
    store = Store(tx.conn)
    numbers = await store.finish_operations(runner, [_finished_row(end) for end in ended], tx.now)
    ended = [end for end in ended if end.work.claim.id in numbers]
    counts = await _write(store, ended)
    for end in ended:
        if end.alone:
            identifier = end.work.claim.id
            _say(tx, _told_alone(end, counts[identifier], tx.now), end.work, numbers[identifier])
    _say_together(tx, [end for end in ended if not end.alone], counts)


async def _write(store: Store, ended: Sequence[Ended]) -> dict[str, int]:
    """Returns by operation the how many-th it was on its site."""
    if not ended:
        return {}
    left = [(end.work.operation, end.deployment) for end in ended]
    counts = await store.put_deployments(left)
    if recorded := [row for end in ended for row in end.recorded]:
        await store.put_revisions(recorded)
    if gone := [(o.site, o.app) for o, deployment in left if not deployment.exists]:
        await store.drop_revisions(gone)
    return counts


def _finished_row(end: Ended) -> Finished:
    return Finished(end.work.claim.id, "succeeded" if end.succeeded else "failed", end.plan, end.alone)


def _say_together(tx: Transaction, ended: Sequence[Ended], counts: dict[str, int]) -> None:
    """One event for those of a strategy that say the same but for their sites."""
    alike: dict[tuple[Any, ...], list[Ended]] = {}
    for end in ended:
        operation = end.work.operation
        origin = (operation.strategy_id, operation.correlation_id, operation.actor)
        alike.setdefault((*origin, *_facts(end).values()), []).append(end)
    for (strategy_id, correlation_id, actor, *_), ends in alike.items():
        facts, told = _facts(ends[0]), [_one_of_them(end, counts, tx.now) for end in ends]
        for start in range(0, len(told), OPERATIONS_AT_ONCE):
            chunk = tuple(told[start : start + OPERATIONS_AT_ONCE])
            event = OperationsSucceeded(strategy_id=strategy_id, **facts, operations=chunk)
            tx.emit(event, correlation_id=correlation_id, actor=actor)


def _one_of_them(end: Ended, counts: dict[str, int], now: datetime) -> Succeeded:
    operation = end.work.operation
    seconds = _seconds(end, now)
    return Succeeded(operation_id=operation.id, site=operation.site, seconds=seconds, nth=counts[operation.id])


def _told_alone(end: Ended, nth: int, now: datetime) -> OperationSucceeded | OperationFailed:
    operation, course = end.work.operation, end.work.course
    about = {"operation_id": operation.id, "site": operation.site, "strategy_id": operation.strategy_id}
    facts: dict[str, Any] = {**about, **_facts(end), "seconds": _seconds(end, now), "nth": nth}
    if end.succeeded:
        return OperationSucceeded(**facts)
    return OperationFailed(
        **facts,
        recovered=end.outcome is not Outcome.LOST,
        cause=course.cause or Cause(code="unknown", message="the driver gave no reason"),
        phases=told_phases(course.phases),
        last_lines=course.last_lines,
    )


def _facts(end: Ended) -> dict[str, Any]:
    """What operations that ended together mostly share."""
    operation = end.work.operation
    return {
        "app": operation.app,
        "kind": operation.kind,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
        "version": end.deployment.version,
        "status": end.deployment.status,
        "plan": end.plan,
        "history": end.deployment.history,
    }


def _seconds(end: Ended, now: datetime) -> float:
    return round((now - end.work.course.began).total_seconds(), 3)
