"""The phases of an operation, a table for each kind: what is done, with which components, in what order, within what
time, and up to where it can be turned back. Pure; the course (course.py) walks it, the README tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.messages.words import OperationKind as Kind


class Leg(StrEnum):
    """Which way an operation is going."""

    FORWARD = "forward"
    RECOVER = "recover"


class Phase(StrEnum):
    """The phases there are."""

    UPLOAD = "upload"
    PRECHECK = "precheck"
    FETCH = "fetch"
    DEPLOY = "deploy"
    VERIFY = "verify"
    REMOVE = "remove"
    PREPARE = "prepare"
    PACKAGES = "packages"
    IMAGES = "images"
    CLEAN = "clean"


class Order(StrEnum):
    """In which order a phase takes its components."""

    TOGETHER = "together"
    AFTER = "as `after` says"
    REVERSE = "in reverse"


class Bound(StrEnum):
    """What bounds the time of a leg: all its phases together."""

    TIMEOUT = "`timeout_seconds`"
    RECOVERY = "`RECOVERY_SECONDS`"


CHANGED, GONE = frozenset({"apply", "rollback"}), frozenset({"remove"})


@dataclass(frozen=True, slots=True)
class Row:
    """One phase of one leg."""

    phase: Phase
    verb: str
    """What drivers are told, for people; a component's own action decides between apply and rollback."""
    actions: frozenset[str] = frozenset()
    """Of the plan's decisions: whose components it takes."""
    order: Order = Order.TOGETHER
    bound: Bound = Bound.TIMEOUT
    way_back: bool = True
    """Whether an operation that fails here is turned back."""
    least: int = 1
    """It is left out for fewer components."""
    begins: bool = True
    """Whether it begins orders; else it asks how those begun before stand."""
    changes: bool = True
    """Whether what is deployed may be another after it; where not, there is nothing to turn back."""
    optional: bool = False
    """Whether what fails here, or takes too long, is told and leaves the operation a success."""
    fetching: bool = False
    """Whether it takes those components alone whose drivers bring what they deploy from elsewhere."""


def _leg(order: Order, bound: Bound, *, way_back: bool) -> tuple[Row, ...]:
    # A single component was verified when its driver said Done; several may have felled each other meanwhile.
    return (
        Row(Phase.DEPLOY, "apply, rollback", CHANGED, order, bound, way_back),
        Row(Phase.VERIFY, "-", CHANGED, Order.TOGETHER, bound, way_back, least=2, begins=False),
        Row(Phase.REMOVE, "remove", GONE, Order.REVERSE, bound, way_back),
    )


_PRECHECK = Row(Phase.PRECHECK, "-", way_back=False, changes=False)
"""Nothing was touched yet: there is no way to go back."""

_UPLOAD = Row(Phase.UPLOAD, "-", way_back=False, changes=False)
"""Only of operations that wait for a publication, before anything else."""

_FETCH = Row(Phase.FETCH, "fetch", CHANGED, way_back=False, changes=False, fetching=True)
"""What cannot be had is found out while the old release runs untouched."""


def _beside(phase: Phase, verb: str, *actions: str, optional: bool = False) -> Row:
    """What was sent to a site for later stays there when the operation fails: the next one goes on with it."""
    return Row(phase, verb, frozenset(actions), way_back=False, changes=False, optional=optional)


_THERE_AND_BACK: Mapping[Leg, tuple[Row, ...]] = {
    Leg.FORWARD: (_PRECHECK, _FETCH, *_leg(Order.AFTER, Bound.TIMEOUT, way_back=True)),
    Leg.RECOVER: _leg(Order.REVERSE, Bound.RECOVERY, way_back=False),
}
_ON_PUBLICATION: Mapping[Leg, tuple[Row, ...]] = {
    Leg.FORWARD: (_UPLOAD, *_THERE_AND_BACK[Leg.FORWARD]),
    Leg.RECOVER: _THERE_AND_BACK[Leg.RECOVER],
}
_ONE_WAY: Mapping[Leg, tuple[Row, ...]] = {
    Leg.FORWARD: (_PRECHECK, _FETCH, *_leg(Order.AFTER, Bound.TIMEOUT, way_back=False)),
    Leg.RECOVER: (),
}

PHASES: Mapping[Kind, Mapping[Leg, tuple[Row, ...]]] = {
    Kind.APPLY: _ON_PUBLICATION,
    Kind.UPDATE: _ON_PUBLICATION,
    Kind.ROLLBACK: _THERE_AND_BACK,
    Kind.RECOVER: _ONE_WAY,
    Kind.REMOVE: {
        Leg.FORWARD: (_PRECHECK, Row(Phase.REMOVE, "remove", GONE, Order.REVERSE)),
        Leg.RECOVER: _THERE_AND_BACK[Leg.RECOVER],
    },
    Kind.PRESTAGE: {
        Leg.FORWARD: (
            _PRECHECK,
            _beside(Phase.PREPARE, "-"),
            _beside(Phase.PACKAGES, "fetch", "fetch_packages"),
            _beside(Phase.IMAGES, "fetch", "fetch_images"),
            _beside(Phase.CLEAN, "discard", "discard", optional=True),
        ),
        Leg.RECOVER: (),
    },
}

LEAVING = frozenset(k for k, legs in PHASES.items() if not any(row.changes for rows in legs.values() for row in rows))
"""The kinds of operations that leave what is deployed as it is, however they end."""


def may_be_left(kind: Kind) -> bool:
    """Whether an operation of the kind is turned back when it fails, so that somebody may want it left as it is."""
    return bool(PHASES[kind][Leg.RECOVER])


def may_be_stopped(kind: Kind, phase: Phase) -> bool:
    """Whether the way forward ends there because somebody wants it to.

    What has no way back comes to its end once it touches its site: a recovery that stopped half-way would leave there
    the error that it was to mend.
    """
    row = row_of(kind, Leg.FORWARD, phase)
    return row is None or row.way_back or not row.changes


def row_of(kind: Kind, leg: Leg, phase: Phase) -> Row | None:
    """The row of a phase; None where a leg has not begun yet."""
    return next((row for row in PHASES[kind][leg] if row.phase is phase), None)


def point_of_no_return(kind: Kind, recover: str | None = None) -> Phase | None:
    """The phase from which on the operation is not turned back, once it has touched the site; None = there is none.

    `recover`: whether it is to be turned back at all.
    """
    rows = (row for row in PHASES[kind][Leg.FORWARD] if row.changes)
    return next((row.phase for row in rows if not row.way_back or recover == "never"), None)
