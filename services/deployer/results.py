"""What runners write and say: how far operations have come, and how they ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.deployer import course as courses
from services.deployer.course import Course, Leg
from services.deployer.domain import Deployment, Outcome, after, status_during
from services.deployer.plan import Plan, Recorded
from services.deployer.store import Saved, Store
from services.deployer.work import Work
from shared.ledger import Turn
from shared.messages.base import Message
from shared.messages.deployer import Cause, OperationFailed, OperationProgressed, OperationSucceeded
from shared.messages.words import DeploymentStatus

# -- while it lasts -----------------------------------------------------------------------------------------------


async def save(turn: Turn, runner: str, works: Iterable[tuple[Work, Course]]) -> set[str]:
    """Keep how far they have come; returns the ids of those that are still ours."""
    return await Store(turn.conn).save_courses(runner, (_saved(work, course, work.sequence) for work, course in works))


async def tell(turn: Turn, runner: str, works: Sequence[Work]) -> set[str]:
    """Keep how far they have come and say so; returns the ids of those that are still ours."""
    saved = (_saved(work, work.course, work.sequence + 1) for work in works)
    ours = await Store(turn.conn).save_courses(runner, saved)
    for work in works:
        if work.claim.id in ours:
            _say(turn, _progressed(work), work)
    return ours


def _saved(work: Work, course: Course, sequence: int) -> Saved:
    state = "running" if course.leg is Leg.FORWARD else "recovering"
    return Saved(work.claim.id, course, state, sequence)


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


def _say(turn: Turn, message: Message, work: Work) -> None:
    origin = work.operation
    turn.emit(message, sequence=work.sequence + 1, correlation_id=origin.correlation_id, actor=origin.actor)


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


async def finish(turn: Turn, runner: str, works: Sequence[Work], history_kept: int) -> None:
    """Write the results of all that has ended, and say so, in one transaction; of those still ours only."""
    ended = [Ended.of(work, history_kept) for work in works]
    store = Store(turn.conn)
    mine = await store.finish_operations(runner, [_finished_row(end) for end in ended], turn.now)
    ended = [end for end in ended if end.work.claim.id in mine]
    await _write(store, ended, turn.now)
    for end in ended:
        good = end.outcome is Outcome.SUCCEEDED
        _say(turn, _succeeded(end, turn.now) if good else _failed(end, turn.now), end.work)


async def _write(store: Store, ended: Sequence[Ended], now: datetime) -> None:
    changed = [(e.work.operation, e.deployment) for e in ended if e.outcome is not Outcome.UNTOUCHED]
    if changed:
        await store.put_deployments(changed)
    if recorded := [row for end in ended for row in end.recorded]:
        await store.put_revisions(recorded)
    if gone := [(o.site, o.app) for o, deployment in changed if not deployment.exists]:
        await store.drop_revisions(gone)
    if failures := [(e.work.operation, e.work.course) for e in ended if e.outcome is not Outcome.SUCCEEDED]:
        await store.put_evidence(failures, now)


def _finished_row(end: Ended) -> tuple[str, str, Plan]:
    course = end.work.course
    state = "succeeded" if end.outcome is Outcome.SUCCEEDED else "failed"
    return end.work.claim.id, state, course.failed_plan or course.plan


def _succeeded(end: Ended, now: datetime) -> OperationSucceeded:
    return OperationSucceeded(**_facts(end, now))


def _failed(end: Ended, now: datetime) -> OperationFailed:
    course = end.work.course
    return OperationFailed(
        **_facts(end, now),
        recovered=end.outcome is not Outcome.LOST,
        cause=course.cause or Cause(code="unknown", message="the driver gave no reason"),
        phases=course.phases,
        evidence=f"evidence/{end.work.operation.id}",
        last_lines=course.last_lines,
    )


def _facts(end: Ended, now: datetime) -> dict[str, Any]:
    operation, course = end.work.operation, end.work.course
    return {
        "operation_id": operation.id,
        "site": operation.site,
        "app": operation.app,
        "kind": operation.kind,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
        "version": end.deployment.version,
        "status": end.deployment.status,
        "strategy_id": operation.strategy_id,
        "plan": course.failed_plan or course.plan,
        "seconds": round((now - course.began).total_seconds(), 3),
    }
