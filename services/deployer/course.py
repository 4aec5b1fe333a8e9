"""The course of an operation through its phases: a pure function from where it stands to what is to be done next.

An operation has one leg forward and, when that fails, one leg back (recovery). Each leg goes through the same phases:
deploy the components, verify them together when there are several, remove what is no longer wanted. What a driver
did is kept by the driver under the order's key, so a course that was not saved is found again by walking it anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.deployer.domain import Operation, Outcome
from services.deployer.drivers import Broken, Done, Progress, Running
from services.deployer.evidence import clean, last_words
from services.deployer.plan import Plan
from shared.messages.deployer import Cause, PhaseResult


class Leg(StrEnum):
    """Which way an operation is going."""

    FORWARD = "forward"
    RECOVER = "recover"


class Phase(StrEnum):
    """The phases of a leg, in order."""

    PRECHECK = "precheck"
    DEPLOY = "deploy"
    VERIFY = "verify"
    REMOVE = "remove"


class Next(StrEnum):
    """What is to be done now."""

    START = "start"
    """Start the orders of the phase, then ask how they stand. Starting twice does no harm."""
    ASK = "ask"
    """Ask at once how the orders of the phase stand."""
    WAIT = "wait"
    """Nothing until a driver moves, a deadline passes or somebody cancels."""
    STOP = "stop"
    """Cancel the orders of the phase, then ask how they stand."""
    RECOVER = "recover"
    """The way forward failed: make the plan back and `turn_back` on it."""
    END = "end"
    """The course has ended; see `outcome`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the bounded parts may take. With an operation's own timeout they bound every operation."""

    stop: timedelta = timedelta(seconds=60)
    recovery: timedelta = timedelta(seconds=600)


@dataclass(frozen=True, slots=True)
class Course:
    """How far an operation has come."""

    plan: Plan
    began: datetime
    deadline: datetime
    """Of the leg; once it is being stopped, of the stopping."""
    phase_began: datetime
    leg: Leg = Leg.FORWARD
    phase: Phase = Phase.PRECHECK
    stopping: bool = False
    phases: tuple[PhaseResult, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Component -> revision that the driver recorded on this leg."""
    cause: Cause | None = None
    last_lines: tuple[str, ...] = ()
    failed_plan: Plan = ()
    """The plan forward, once the operation is on its way back."""
    fell_back: bool = False
    """The way back failed too."""


Move = tuple[Course, Next]


def set_out(plan: Plan, now: datetime, timeout: timedelta) -> Move:
    """Begin the way forward; the precheck was passed."""
    passed = PhaseResult(name=Phase.PRECHECK, outcome="done", started_at=now, finished_at=now)
    first = _phase_after(plan, Phase.PRECHECK)
    course = Course(plan, now, now + timeout, now, phase=first or Phase.PRECHECK, phases=(passed,))
    return course, _begin(first)


def refuse(cause: Cause, now: datetime) -> Move:
    """End before anything was changed."""
    detail = cause.message[:1_000]
    failed = PhaseResult(name=Phase.PRECHECK, outcome="failed", detail=detail, started_at=now, finished_at=now)
    return Course((), began=now, deadline=now, phase_began=now, phases=(failed,), cause=cause), Next.END


def resume(course: Course) -> Next:
    """What to do first with a course that another worker left: the same again, which does no harm."""
    if course.stopping:
        return Next.STOP
    return Next.ASK if course.phase is Phase.VERIFY else Next.START


def turn_back(course: Course, plan: Plan, now: datetime, limits: Limits) -> Move:
    """Begin the way back to what was there before."""
    first = _phase_after(plan, Phase.PRECHECK)
    back = replace(
        course,
        leg=Leg.RECOVER,
        phase=first or Phase.PRECHECK,
        phase_began=now,
        plan=plan,
        failed_plan=course.plan,
        stopping=False,
        revisions={},
        deadline=now + limits.recovery,
    )
    return back, _begin(first)


def stop(course: Course, cause: Cause, now: datetime, limits: Limits) -> Move:
    """End the way forward before asking how it stands: an earlier worker may have begun it."""
    return replace(course, stopping=True, cause=cause, deadline=now + limits.stop), Next.STOP


def stay(course: Course, why: str) -> Move:
    """Take no way back: the site stays as the way forward left it."""
    cause = course.cause and Cause(code=course.cause.code, message=f"{course.cause.message}; {why}")
    return replace(course, fell_back=True, cause=cause), Next.END


def awaited(course: Course) -> Plan:
    """The decisions that the present phase carries out."""
    if course.phase is Phase.PRECHECK:
        return ()
    if course.phase is Phase.REMOVE:
        return tuple(way for way in course.plan if way.action == "remove")
    return tuple(way for way in course.plan if way.action in ("apply", "rollback"))


def _phase_after(plan: Plan, phase: Phase) -> Phase | None:
    """The next phase in which there is anything to do; None = the leg has reached its end."""
    changed = sum(way.action in ("apply", "rollback") for way in plan)
    if changed and phase is Phase.PRECHECK:
        return Phase.DEPLOY
    # A single component was verified when the driver said Done; several may have felled each other meanwhile.
    if changed > 1 and phase is Phase.DEPLOY:
        return Phase.VERIFY
    removed = any(way.action == "remove" for way in plan)
    return Phase.REMOVE if removed and phase is not Phase.REMOVE else None


def _begin(phase: Phase | None) -> Next:
    return Next.END if phase is None else Next.ASK if phase is Phase.VERIFY else Next.START


def _enter_next(course: Course, now: datetime) -> Move:
    phase = _phase_after(course.plan, course.phase)
    return (replace(course, phase=phase, phase_began=now) if phase else course), _begin(phase)


def advance(course: Course, progress: Sequence[Progress], now: datetime, wish: Cause | None, limits: Limits) -> Move:
    """Where the course goes, now that the orders of `awaited` stand at `progress`.

    `wish` is a cancellation somebody asked for; it stops the way forward, never the way back.
    """
    running = sum(isinstance(p, Running) for p in progress)
    if running and now < course.deadline and (course.stopping or (running == len(progress) and wish is None)):
        return course, Next.WAIT
    if course.stopping:
        return _fail(_noted(course, progress, now), course.cause)
    trouble = _trouble(course, progress, now, wish)
    if trouble is None:
        return (course, Next.WAIT) if running else _enter_next(_noted(course, progress, now), now)
    if running:
        return stop(course, _worst(course, trouble), now, limits)
    return _fail(_noted(course, progress, now), _worst(course, trouble))


def _trouble(course: Course, progress: Sequence[Progress], now: datetime, wish: Cause | None) -> Cause | None:
    for way, p in zip(awaited(course), progress, strict=True):
        if isinstance(p, Broken):
            return Cause(code=p.code, message=f"{way.component}: {clean(p.message)}"[:2_000])
    if wish and course.leg is Leg.FORWARD:
        return wish
    if now < course.deadline or not any(isinstance(p, Running) for p in progress):
        return None
    seconds = (now - course.phase_began).total_seconds()
    return Cause(code="timeout", message=f"{name_of(course)} had not ended after {seconds:.0f} s, when its time was up")


def _fail(course: Course, cause: Cause | None) -> Move:
    if course.leg is Leg.FORWARD:
        return replace(course, cause=cause), Next.RECOVER
    return replace(course, cause=cause, fell_back=True), Next.END


def _worst(course: Course, trouble: Cause) -> Cause:
    """The first cause stays the cause; a failure on the way back is told with it."""
    return trouble if course.leg is Leg.FORWARD else _worse(course.cause, trouble.message)


def _worse(cause: Cause | None, message: str) -> Cause:
    first = cause or Cause(code="recovery_failed", message="")
    return Cause(code=first.code, message=f"{first.message}; then the recovery failed: {message}"[:4_000])


def name_of(course: Course) -> str:
    """The present phase, told apart by leg."""
    return course.phase if course.leg is Leg.FORWARD else f"recover_{course.phase}"


def _noted(course: Course, progress: Sequence[Progress], now: datetime) -> Course:
    """The course with the results of the phase that ends here."""
    ended = list(zip(awaited(course), progress, strict=True))
    lines = [f"{w.component}: {line}" for w, p in ended if isinstance(p, Broken) for line in last_words(p.last_lines)]
    return replace(
        course,
        phases=course.phases + tuple(_result(course, way.component, p, now) for way, p in ended),
        revisions={**course.revisions, **{w.component: p.revision for w, p in ended if isinstance(p, Done)}},
        last_lines=last_words((*course.last_lines, *lines)),
    )


def _result(course: Course, component: str, p: Progress, now: datetime) -> PhaseResult:
    outcome: Literal["done", "failed"] = "failed"
    detail = "it could not be stopped in time"
    if isinstance(p, Done):
        outcome, detail = "done", clean(p.detail)
    elif isinstance(p, Broken):
        detail = f"{p.code}: {clean(p.message)}"
    return PhaseResult(
        name=name_of(course),
        component=component,
        outcome=outcome,
        detail=detail[:1_000],
        started_at=course.phase_began,
        finished_at=now,
    )


def outcome(course: Course, operation: Operation) -> Outcome:
    """How a course that has ended leaves the site."""
    if course.cause is None:
        return Outcome.SUCCEEDED
    if course.fell_back:
        return Outcome.LOST
    if course.leg is Leg.FORWARD:
        return Outcome.UNTOUCHED
    return Outcome.RECOVERED if operation.from_version else Outcome.UNDONE


def percent(course: Course, progress: Sequence[Progress]) -> int:
    """How much of its leg is done."""
    total = sum(way.action != "keep" for way in course.plan)
    running = sum(p.percent for p in progress if isinstance(p, Running))
    ended = len(course.revisions) * 100 + sum(100 for p in progress if isinstance(p, Done))
    return min(99, (ended + running) // total) if total else 99
