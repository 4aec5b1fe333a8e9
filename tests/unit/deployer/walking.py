"""A runner and a device without any I/O: walks courses second by second, and loses its memory when told to."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.deployer import course as courses
from services.deployer import plan
from services.deployer.course import Course, Next
from services.deployer.domain import Operation, Outcome
from services.deployer.drivers import Broken, Done, Order, Progress, Running
from services.deployer.ordering import ordering_of
from services.deployer.phases import LEAVING, Leg, Phase, may_be_left
from services.deployer.plan import Ground, fetch_order, order_for
from services.deployer.prestage.planning import plan_of
from shared.messages.deployer import Cause
from tests.unit.deployer.values import LIMITS, NOW

WISH = Cause(code="cancelled", message="somebody said so")
STEPS = 5_000


@dataclass
class Device:
    """Components that end as `fates` say, by "leg/component": done (unless told otherwise), broken or hang."""

    fates: Mapping[str, str]
    runs: dict[str, str]
    seconds: int = 2
    words: tuple[str, ...] = ()
    """What broken components said last."""
    known: dict[str, Progress | int] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    def start(self, orders: tuple[Order, ...], now: int) -> None:
        for order in orders:
            if order.key not in self.known:
                self.known[order.key] = now
                self.begun.append(order.key)

    def cancel(self, orders: tuple[Order, ...]) -> None:
        for order in orders:
            if isinstance(self.known.get(order.key, 0), int):
                self._end(order, Broken("cancelled", "cancelled"), touched=order.key in self.known)

    def poll(self, orders: tuple[Order, ...], now: int) -> list[Progress]:
        return [self._ask(order, now) for order in orders]

    def _ask(self, order: Order, now: int) -> Progress:
        known = self.known.get(order.key)
        if known is None:
            return Broken("not_started", "unknown")
        fate = self.fates.get(order.key.removeprefix("op/"), "done")
        if isinstance(known, int) and fate != "hang" and now >= known + self.seconds:
            broken = Broken("failed", " ".join(("no", *self.words)), self.words)
            self._end(order, Done(f"r{order.version}") if fate == "done" else broken, touched=True)
        found = self.known[order.key]
        return Running() if isinstance(found, int) else found

    def _end(self, order: Order, progress: Progress, touched: bool) -> None:
        self.known[order.key] = progress
        if order.action in ("fetch", "discard"):
            return
        if touched:
            self.runs.pop(order.component.name, None)
        if isinstance(progress, Done) and order.version:
            self.runs[order.component.name] = order.version


class Died(Exception):
    """The runner was killed."""


@dataclass
class Walk:
    """One operation, walked to its end. At the steps in `cuts` the runner dies and another one takes over."""

    operation: Operation
    ground: Ground
    device: Device
    cuts: Set[int] = frozenset()
    cancel_at: int | None = None
    fetching: frozenset[str] = frozenset()
    """Components that are fetched first."""
    now: int = 0
    step: int = 0
    saved: Course | None = None

    def to_the_end(self) -> tuple[Course, Outcome]:
        attempt = 0
        while True:
            attempt += 1
            try:
                course = self._work(attempt)
            except Died:
                self.now += 1
            else:
                return course, courses.outcome(course, self.operation)

    def _work(self, attempt: int) -> Course:
        """What one runner does, until it dies."""
        course, todo = self._take_up(attempt)
        while todo is not Next.END:
            course, todo = self._go(course, todo)
        return course

    def _may_die(self) -> None:
        self.step += 1
        assert self.step < STEPS, "the operation never ends"
        if self.step in self.cuts:
            raise Died

    @property
    def wish(self) -> Cause | None:
        return WISH if self.cancel_at is not None and self.now >= self.cancel_at else None

    @property
    def stopping(self) -> Cause | None:
        """What has no way back goes on, whatever was wished before it was taken over."""
        return self.wish if may_be_left(self.operation.kind) else None

    def _take_up(self, attempt: int) -> courses.Move:
        if self.saved:
            return self.saved, courses.resume(self.saved)
        now = NOW + timedelta(seconds=self.now)
        if self.wish and attempt == 1:
            return courses.refuse(self.operation.kind, self.wish, now)
        move = self._set_out(timedelta(seconds=self.operation.timeout_seconds), now)
        return courses.stop(move[0], self.stopping, now, LIMITS) if self.stopping else move

    def _set_out(self, timeout: timedelta, now: datetime) -> courses.Move:
        kind = self.operation.kind
        if kind in LEAVING:
            way = plan_of(self.operation, self.ground, lambda *_: True, "")
            return courses.set_out_with(kind, way.plan, now, timeout, "", way.without, "")
        planned = plan.forward(self.operation, self.ground, self.ground.recorded)
        ordering = ordering_of(planned, self.ground, self.operation.to_version, Leg.FORWARD)
        changed = frozenset(w.component for w in planned if w.action in ("apply", "rollback"))
        fetching = frozenset() if self.stopping else self.fetching & changed
        return courses.set_out(kind, planned, ordering, now, timeout, fetching)

    def _orders(self, course: Course) -> tuple[Order, ...]:
        version = self.operation.to_version if course.leg is Leg.FORWARD else self.operation.from_version
        if course.phase is Phase.FETCH and version:
            return tuple(fetch_order(self.operation, self.ground, w, version) for w in courses.awaited(course))
        return tuple(order_for(self.operation, self.ground, course.leg, w, version) for w in courses.awaited(course))

    def _go(self, course: Course, todo: Next) -> courses.Move:
        self._may_die()
        orders = self._orders(course)
        if todo is Next.START:
            assert course.leg is Leg.FORWARD or self.saved, "a way back was begun before it was saved"
            self.device.start(orders, self.now)
        if todo is Next.STOP:
            self.device.cancel(orders)
        self._may_die()  # between the effect and its answer
        self.now += 1
        now = NOW + timedelta(seconds=self.now)
        move = courses.advance(course, self.device.poll(orders, self.now), now, self.wish, LIMITS)
        if course.phase is Phase.FETCH and move[0].phase is not Phase.FETCH:
            self.saved = move[0]
        return self._weigh(course, move)

    def _weigh(self, course: Course, move: courses.Move) -> courses.Move:
        now = NOW + timedelta(seconds=self.now)
        if move[1] is Next.RECOVER:
            if why := plan.no_way_back(self.operation, self.ground, move[0].phase):
                move = courses.stay(move[0], why)
            else:
                back = plan.recovery(self.operation, self.ground, self.ground.recorded, course.plan)
                ordering = ordering_of(back, self.ground, self.operation.from_version, Leg.RECOVER)
                move = courses.turn_back(move[0], back, ordering, now, LIMITS)
            self.saved = move[0]
        elif move[1] is Next.STOP:
            self.saved = move[0]
        return move
