"""The course of an operation through its phases: a pure function from where it stands to what is to be done next.

An operation has one leg forward and, when that fails, one leg back (recovery). Each leg goes through the same phases:
deploy the components, verify them together when there are several, remove what is no longer wanted. What a driver
did is kept by the driver under the order's key, so a course that was not saved is found again by walking it anew.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from services.deployer.domain import Operation, Outcome
from services.deployer.drivers import Broken, Done, Progress, Running
from services.deployer.evidence import clean, last_words
from services.deployer.ordering import FREE, Ordering
from services.deployer.phases import LEAVING, PHASES, Leg, Order, Phase, Row, may_be_stopped, row_of
from services.deployer.plan import Plan
from shared.frozen import light_dataclass
from shared.messages.deployer import Cause, ComponentDecision, ComponentProgress, PhaseResult
from shared.messages.words import OperationKind as Kind


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
class Sent:
    """What an operation has to do with content. One field of a course, since each more is copied with every move."""

    bytes: int = 0
    """That were sent to the site until now."""
    platform: str = ""
    """Of the site, such as linux/amd64, as it said when content was chosen for it; empty = nobody asked, or it says
    nothing."""
    without: Mapping[str, str] = field(default_factory=dict)
    """By phase that has nothing to do and is told all the same: why."""
    fetching: frozenset[str] = frozenset()
    """Components that are fetched before anything is touched."""


NOTHING_SENT = Sent()


@light_dataclass(frozen=True, slots=True)
class Course:
    """How far an operation has come."""

    plan: Plan
    began: datetime
    deadline: datetime
    """Of the leg; once it is being stopped, of the stopping."""
    phase_began: datetime
    kind: Kind
    under_way: Mapping[str, datetime | None]
    """Components whose orders of this phase were begun and have not ended, and when; None = only to be cancelled."""
    leg: Leg = Leg.FORWARD
    phase: Phase = Phase.PRECHECK
    ended: frozenset[str] = frozenset()
    """Components whose part of this phase is done."""
    ordering: Ordering = FREE
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
    sent: Sent = NOTHING_SENT


Move = tuple[Course, Next]

CANCELLED = "cancelled"
"""The cause of what ends because somebody wanted it to."""

_NONE: frozenset[str] = frozenset()

NO_BOUNDS: Mapping[str, int] = {}

phase_result = lru_cache(maxsize=4096)(PhaseResult)  # the sites of a batch pass the same phases at the same time


def set_out(
    kind: Kind,
    plan: Plan,
    ordering: Ordering,
    now: datetime,
    timeout: timedelta,
    fetching: frozenset[str] = frozenset(),
) -> Move:
    """Begin the way forward; the precheck was passed. What of the components in `fetching` comes from elsewhere is
    fetched first."""
    found = _next(kind, Leg.FORWARD, plan, ordering, Phase.PRECHECK, fetching)
    row, names = found or (None, [])
    phase, begun = row.phase if row else Phase.PRECHECK, dict.fromkeys(names, now)
    passed = (_passed(Phase.PRECHECK, "", now),)
    course = Course(plan, now, now + timeout, now, kind, begun, phase=phase, ordering=ordering, phases=passed)
    if fetching:
        course = replace(course, sent=Sent(fetching=fetching))
    return course, _begin(row) if row else Next.END


def set_out_with(
    kind: Kind, plan: Plan, now: datetime, timeout: timedelta, prepared: str, without: Mapping[str, str], platform: str
) -> Move:
    """Begin an operation that brings content: `prepared` says what, `without` why phases have nothing to do."""
    passed = (_passed(Phase.PRECHECK, "", now), _passed(Phase.PREPARE, prepared, now))
    course = Course(plan, now, now + timeout, now, kind, {}, phase=Phase.PREPARE, phases=passed)
    return _enter_next(replace(course, sent=Sent(0, platform, without)), now)


def _passed(phase: Phase, detail: str, now: datetime) -> PhaseResult:
    return phase_result(name=phase, outcome="done", detail=detail[:1_000], started_at=now, finished_at=now)


def refuse(kind: Kind, cause: Cause, now: datetime, phase: Phase = Phase.PRECHECK) -> Move:
    """End before anything was changed."""
    detail = cause.message[:1_000]
    failed = PhaseResult(name=phase, outcome="failed", detail=detail, started_at=now, finished_at=now)
    return Course((), now, now, now, kind, {}, phase=phase, phases=(failed,), cause=cause), Next.END


def resume(course: Course) -> Next:
    """What to do first with a course that another worker left: the same again, which does no harm."""
    if course.stopping:
        return Next.STOP
    row = row_of(course.kind, course.leg, course.phase)
    return _begin(row) if row else Next.START


def turn_back(course: Course, plan: Plan, ordering: Ordering, now: datetime, limits: Limits) -> Move:
    """Begin the way back to what was there before."""
    back = replace(
        course,
        leg=Leg.RECOVER,
        phase=Phase.PRECHECK,
        under_way={},
        plan=plan,
        ordering=ordering,
        failed_plan=course.plan,
        stopping=False,
        revisions={},
        deadline=now + limits.recovery,
    )
    return _enter_next(back, now)


def stop(course: Course, cause: Cause, now: datetime, limits: Limits) -> Move:
    """End the leg before asking how it stands. An earlier worker may have begun more than this one knows of, so all
    that has not ended in this phase is cancelled."""
    left = dict.fromkeys(name for name in _names(course) if name not in course.ended)
    under_way = {**left, **course.under_way}
    return replace(course, stopping=True, cause=cause, deadline=now + limits.stop, under_way=under_way), Next.STOP


def stay(course: Course, why: str) -> Move:
    """Take no way back: the site stays as the way forward left it."""
    cause = course.cause and Cause(code=course.cause.code, message=f"{course.cause.message}; {why}")
    return replace(course, fell_back=True, cause=cause), Next.END


def untouched(course: Course) -> bool:
    """Whether nothing that is deployed was changed yet."""
    row = row_of(course.kind, course.leg, course.phase)
    return course.leg is Leg.FORWARD and row is not None and not row.changes


def heeds_wishes(course: Course) -> bool:
    """Whether it ends where it is because somebody wants it to."""
    return course.leg is Leg.FORWARD and may_be_stopped(course.kind, course.phase)


def awaited(course: Course) -> Plan:
    """The decisions whose orders are under way."""
    if course.kind in LEAVING:  # a component may take part in several of its phases
        row = row_of(course.kind, course.leg, course.phase)
        return tuple(w for w in course.plan if row and w.action in row.actions and w.component in course.under_way)
    return tuple(way for way in course.plan if way.component in course.under_way)


def _names(course: Course) -> list[str]:
    """The components of the present phase."""
    row = row_of(course.kind, course.leg, course.phase)
    return _taken_by(row, course.plan, course.sent.fetching) if row else []


def _taken_by(row: Row, plan: Plan, fetching: frozenset[str]) -> list[str]:
    if row.fetching:
        return [way.component for way in plan if way.action in row.actions and way.component in fetching]
    return [way.component for way in plan if way.action in row.actions]


def _next(
    kind: Kind, leg: Leg, plan: Plan, ordering: Ordering, phase: Phase, fetching: frozenset[str] = _NONE
) -> tuple[Row, list[str]] | None:
    """The next phase in which there is anything to do, with the components that begin it; None = the leg has ended."""
    rows = PHASES[kind][leg]
    passed = next((n for n, row in enumerate(rows, 1) if row.phase is phase), 0)
    for row in rows[passed:]:
        if row.fetching and not fetching:  # nearly always
            continue
        names = _taken_by(row, plan, fetching)
        if names and len(names) >= row.least:
            return row, _ready(row, ordering, names)
    return None


def _ready(
    row: Row, ordering: Ordering, names: list[str], under_way: Set[str] = _NONE, ended: Set[str] = _NONE
) -> list[str]:
    """Those that may begin now."""
    in_order = FREE if row.order is Order.TOGETHER else ordering
    return names if in_order.free and not ended else in_order.ready(names, under_way, ended)


def _enter_next(course: Course, now: datetime) -> Move:
    found = _next(course.kind, course.leg, course.plan, course.ordering, course.phase, course.sent.fetching)
    if course.sent.without:
        course = _without(course, found[0].phase if found else None, now)
    if found is None:
        return course, Next.END
    row, names = found
    begun = dict.fromkeys(names, now)
    entered = replace(course, phase=row.phase, phase_began=now, ended=_NONE, under_way=begun)
    return entered, _begin(row)


def _without(course: Course, until: Phase | None, now: datetime) -> Course:
    """Tell of the phases between the present one and `until` that have nothing to do."""
    names = [row.phase for row in PHASES[course.kind][course.leg]]
    between = names[names.index(course.phase) + 1 : names.index(until) if until else None]
    told = [
        PhaseResult(name=name, outcome="skipped", detail=course.sent.without[name], started_at=now, finished_at=now)
        for name in between
        if name in course.sent.without
    ]
    return replace(course, phases=(*course.phases, *told))


def _begin(row: Row) -> Next:
    return Next.START if row.begins else Next.ASK


def advance(
    course: Course,
    progress: Sequence[Progress],
    now: datetime,
    wish: Cause | None,
    limits: Limits,
    bounds: Mapping[str, int] = NO_BOUNDS,
) -> Move:
    """Where the course goes, now that the orders of `awaited` stand at `progress`.

    `wish` is a cancellation somebody asked for; it stops the way forward, never the way back, nor what has none
    (`may_be_stopped`). `bounds`: seconds that components have of their own until they are ready.
    """
    wish = wish if heeds_wishes(course) else None
    running = sum(isinstance(p, Running) for p in progress)
    if bounds and running and not course.stopping:
        wish = _late(course, progress, now, bounds) or wish
    if running and now < course.deadline and (course.stopping or (running == len(progress) and wish is None)):
        return course, Next.WAIT
    if course.stopping:
        return _fail(_noted(course, progress, now), course.cause)
    trouble = _trouble(course, progress, now, wish)
    if trouble is None:
        return _go_on(course, progress, running, now)
    if running:
        return stop(course, _worst(course, trouble), now, limits)
    return _fail(_noted(course, progress, now), _worst(course, trouble))


def _go_on(course: Course, progress: Sequence[Progress], running: int, now: datetime) -> Move:
    """Some have ended well: others that waited for them begin, or the next phase does."""
    names = [] if course.ordering.free else _names(course)  # without an order all of them are under way
    waiting = len(course.under_way) + len(course.ended) < len(names)
    if running and not waiting:
        return course, Next.WAIT
    noted = _noted(course, progress, now, running=False)
    row = row_of(course.kind, course.leg, course.phase) if waiting else None
    if row and (fresh := _ready(row, course.ordering, names, noted.under_way.keys(), noted.ended)):
        return replace(noted, under_way={**noted.under_way, **dict.fromkeys(fresh, now)}), _begin(row)
    return (noted, Next.WAIT) if noted.under_way else _enter_next(noted, now)


def _trouble(course: Course, progress: Sequence[Progress], now: datetime, wish: Cause | None) -> Cause | None:
    for way, p in zip(awaited(course), progress, strict=True):
        if isinstance(p, Broken) and not _is_optional(course):
            return Cause(code=p.code, message=f"{way.component}: {clean(p.message)}"[:2_000])
    if wish:
        return wish
    if now < course.deadline or not any(isinstance(p, Running) for p in progress):
        return None
    seconds = (now - course.phase_began).total_seconds()
    late = ", ".join(w.component for w, p in zip(awaited(course), progress, strict=True) if isinstance(p, Running))
    told = f"{name_of(course)} had not ended after {seconds:.0f} s, when its time was up: {late} was still under way"
    return Cause(code="timeout", message=told[:2_000])


def _late(course: Course, progress: Sequence[Progress], now: datetime, bounds: Mapping[str, int]) -> Cause | None:
    """The first component that is not ready though its own time is up; only what is deployed has one."""
    if course.phase is not Phase.DEPLOY or course.leg is not Leg.FORWARD:
        return None
    for way, p in zip(awaited(course), progress, strict=True):
        began, seconds = course.under_way[way.component], bounds.get(way.component)
        if isinstance(p, Running) and began and seconds and now >= began + timedelta(seconds=seconds):
            told = f"{way.component} was not ready after {seconds} s, when its own time was up"
            return Cause(code="timeout", message=f"{told}: {clean(p.detail)}" if p.detail else told)
    return None


def _fail(course: Course, cause: Cause | None) -> Move:
    if course.kind in LEAVING:  # what is deployed is as it was
        succeeded = _is_optional(course) and cause is not None and cause.code != CANCELLED
        return replace(course, cause=None if succeeded else cause), Next.END
    if untouched(course):
        return replace(course, cause=cause), Next.END
    if course.leg is Leg.FORWARD:
        return replace(course, cause=cause), Next.RECOVER
    return replace(course, cause=cause, fell_back=True), Next.END


def _is_optional(course: Course) -> bool:
    row = row_of(course.kind, course.leg, course.phase)
    return row is not None and row.optional


def told_of(course: Course) -> tuple[PhaseResult, ...]:
    """The phases that a success tells: all of them where a part of it failed, none where all went well."""
    failed = course.kind in LEAVING and any(each.outcome == "failed" for each in course.phases)
    return course.phases if failed else ()


def _worst(course: Course, trouble: Cause) -> Cause:
    """The first cause stays the cause; a failure on the way back is told with it."""
    return trouble if course.leg is Leg.FORWARD else _worse(course.cause, trouble.message)


def _worse(cause: Cause | None, message: str) -> Cause:
    first = cause or Cause(code="recovery_failed", message="")
    return Cause(code=first.code, message=f"{first.message}; then the recovery failed: {message}"[:4_000])


def name_of(course: Course) -> str:
    """The present phase, told apart by leg."""
    return course.phase if course.leg is Leg.FORWARD else f"recover_{course.phase}"


def _noted(course: Course, progress: Sequence[Progress], now: datetime, *, running: bool = True) -> Course:
    """The course with the results of all that is under way, or of what does not run any more."""
    found = zip(awaited(course), progress, strict=True)
    over = [(way, p) for way, p in found if running or not isinstance(p, Running)]
    lines = [f"{w.component}: {line}" for w, p in over if isinstance(p, Broken) for line in last_words(p.last_lines)]
    names = frozenset(way.component for way, _ in over)
    return replace(
        course,
        phases=course.phases + tuple(_result(course, way.component, p, now) for way, p in over),
        revisions=_recorded(course, over),
        last_lines=last_words((*course.last_lines, *lines)) if lines else course.last_lines,
        sent=_sent(course, over),
        ended=course.ended | names,
        under_way={name: began for name, began in course.under_way.items() if name not in names},
    )


def _recorded(course: Course, over: Sequence[tuple[ComponentDecision, Progress]]) -> Mapping[str, str]:
    """What was fetched is not deployed yet."""
    if course.phase is Phase.FETCH:
        return course.revisions
    return {**course.revisions, **{w.component: p.revision for w, p in over if isinstance(p, Done)}}


def _sent(course: Course, over: Sequence[tuple[ComponentDecision, Progress]]) -> Sent:
    """Verify asks for orders of which this was counted when they ended."""
    if course.phase is Phase.VERIFY:
        return course.sent
    count = sum([p.fetched_bytes for _, p in over if isinstance(p, Done)])
    return replace(course.sent, bytes=course.sent.bytes + count) if count else course.sent


def _result(course: Course, component: str, p: Progress, now: datetime) -> PhaseResult:
    began = course.under_way[component]
    outcome: Literal["done", "failed", "skipped"] = "failed" if began else "skipped"
    detail = "it could not be stopped in time"
    if isinstance(p, Done):
        outcome, detail = "done", clean(p.detail)
    elif isinstance(p, Broken):
        detail = f"{p.code}: {clean(p.message)}"
    return phase_result(
        name=name_of(course),
        component=component,
        outcome=outcome,
        detail=detail[:1_000],
        started_at=began or course.phase_began,
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


def doing(course: Course, progress: Sequence[Progress]) -> tuple[ComponentProgress, ...]:
    """What drivers say of the components that are under way."""
    found = zip(awaited(course), progress, strict=False)  # nobody was asked yet in the first moment of a phase
    return tuple(
        ComponentProgress(component=way.component, detail=clean(p.detail)[:500], percent=min(max(p.percent, 0), 100))
        for way, p in found
        if isinstance(p, Running) and p.detail
    )


def percent(course: Course, progress: Sequence[Progress]) -> int:
    """How much of its leg is done."""
    total = sum(way.action not in ("keep", "skip") for way in course.plan)
    running = sum(p.percent for p in progress if isinstance(p, Running))
    before = sum(r.outcome == "done" and bool(r.component) for r in course.phases) if course.kind in LEAVING else None
    ended = (len(course.revisions) if before is None else before) * 100
    ended += sum(100 for p in progress if isinstance(p, Done))
    if course.sent.fetching and course.leg is Leg.FORWARD:
        total += len(course.sent.fetching)
        ended += 100 * len(course.ended if course.phase is Phase.FETCH else course.sent.fetching)
    return min(99, (ended + running) // total) if total else 99
