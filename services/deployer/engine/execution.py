"""One operation in the hands of a runner."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.deployer import course as courses
from services.deployer.course import CANCELLED, Course, Limits, Move, Next
from services.deployer.domain import Operation
from services.deployer.drivers import Broken, Order, Progress, Running
from services.deployer.ordering import Ordering
from services.deployer.phases import Leg, Phase, may_be_left
from services.deployer.plan import Ground, Plan, fetch_order, order_for
from services.deployer.secrets.opening import Opened
from services.deployer.secrets.rotation import Kept, Versions, at_least_so_old, reaching
from services.deployer.secrets.values import hide_in, longest_first
from services.deployer.store import Claim, Loaded
from shared.messages.deployer import Cause
from shared.secret_references import references

BRINGS = frozenset({"apply", "rollback"})
"""Actions by which values come to lie in what is deployed."""

_NOT_STARTED = Running("its driver cannot be reached; it is tried again")


@dataclass(slots=True)
class Execution:
    """An operation that this runner has claimed. Only the runner changes it."""

    claim: Claim
    operation: Operation
    ground: Ground
    course: Course
    todo: Next
    told_at: float
    """Of the event loop's clock: when it was taken up, or somebody was last told of it."""
    wish: Cause | None = None
    orders: tuple[Order, ...] = ()
    progress: Sequence[Progress] = ()
    missed: bool = False
    """Its driver could not be reached to start its orders."""
    sealed: bool = False
    """Its orders name secrets whose values were not put in yet; no driver may have them so."""
    unopened: Mapping[int, Broken] = field(default_factory=dict)
    """By its place among what is awaited, an order that no driver gets, because a secret cannot be had."""
    had: dict[str, Order] = field(default_factory=dict)
    """By key, the orders that got values of secrets, as they got them."""
    looks: tuple[str, ...] = field(default=(), repr=False)
    """Of the secrets that any of its orders ever had: what components print is told without them."""

    secrets: dict[str, Versions] = field(default_factory=dict)
    """By component, the versions of the secrets that its last order brought to the site."""

    bounds: Mapping[str, int] = field(default_factory=dict)
    """Seconds that components of the release have of their own until they are ready."""

    def __post_init__(self) -> None:
        content = self.ground.contents.get(self.operation.to_version or "")
        if content and content.timed:
            self.bounds = content.timed
        self._renew()

    def go(self, move: Move) -> None:
        """Take the next move; what is under way then has its orders."""
        before, (self.course, self.todo) = self.course, move
        if self.course.under_way is not before.under_way or self.course.leg is not before.leg:
            self._renew()

    def take(self, opened: Sequence[Opened | Broken]) -> None:
        """The present orders with the values of their secrets, in order."""
        self.unopened = {place: each for place, each in enumerate(opened) if isinstance(each, Broken)}
        had = [each for each in opened if isinstance(each, Opened)]
        self.orders = tuple(each.order for each in had)
        self.had.update((each.order.key, each.order) for each in had if each.looks)
        self.looks = longest_first({look for each in had for look in each.looks} | set(self.looks))
        if self.claim.attempt == 1:  # later, an order may have been begun with what was there before
            brought = (each for each in had if each.versions and each.order.action in BRINGS)
            self.secrets.update((each.order.component.name, each.versions) for each in brought)
        self.sealed = False

    def took_over(self, kept: Mapping[str, Kept], since: datetime | None) -> None:
        """Another runner may have begun its orders: with which versions nobody knows that were set since then."""
        named = self.names
        self.secrets.update((component, at_least_so_old(some, kept, since)) for component, some in named.items())

    @property
    def names(self) -> Mapping[str, set[str]]:
        """By component, the secrets that any order of it may bring to the site; of those that bring none nothing."""
        found: dict[str, set[str]] = {}
        for content in self.ground.all_contents:
            for name, component in content.components.items():
                connection = self.ground.site.connections.get(component.driver, {})
                if some := reaching(component, connection):
                    found.setdefault(name, set()).update(some)
        return found

    def hear(self, progress: Sequence[Progress], missed: Container[str]) -> None:
        """How the orders stand; one that could not even be started counts as running until its time is up."""
        self.missed = bool(missed) and any(order.key in missed for order in self.orders)
        self.progress = [_NOT_STARTED] * len(progress) if self.missed else progress
        if self.looks:
            self.progress = [hide_in(self.looks, each) for each in self.progress]
        if self.unopened:
            told, places = iter(self.progress), range(len(self.progress) + len(self.unopened))
            self.progress = [self.unopened.get(place) or next(told) for place in places]

    def _renew(self) -> None:
        """Orders that go on keep the values they were begun with, whatever was set since."""
        self.orders = tuple(self.had.get(order.key, order) for order in self._orders())
        self.unopened = {}
        self.sealed = any(order.component.sealed or references(order.connection) for order in self.orders)

    def _orders(self) -> tuple[Order, ...]:
        course, operation = self.course, self.operation
        version = operation.to_version if course.leg is Leg.FORWARD else operation.from_version
        ground, leg, platform = self.ground, course.leg, course.sent.platform
        if course.phase is Phase.FETCH and version:
            return tuple(fetch_order(operation, ground, way, version) for way in courses.awaited(course))
        return tuple(order_for(operation, ground, leg, way, version, platform) for way in courses.awaited(course))


def begin(
    plan: Plan,
    ordering: Ordering,
    loaded: Loaded,
    attempt: int,
    now: datetime,
    limits: Limits,
    fetching: frozenset[str] = frozenset(),
) -> Move:
    """The first move of an operation that has a plan, but no course that was saved.

    When somebody wants it stopped and it was claimed before, another runner may have begun it: then its orders are
    cancelled, which also keeps a late start of theirs without effect. Nothing is fetched for it any more. What has no
    way back goes on instead, as that runner would have let it.
    """
    wish = wish_of(loaded.cancel_reason)
    if wish and attempt == 1:
        return courses.refuse(loaded.operation.kind, wish, now)
    operation = loaded.operation
    timeout = timedelta(seconds=operation.timeout_seconds)
    stopping = wish if may_be_left(operation.kind) else None
    move = courses.set_out(operation.kind, plan, ordering, now, timeout, frozenset() if stopping else fetching)
    return courses.stop(move[0], stopping, now, limits) if stopping else move


def wish_of(cancel_reason: str | None) -> Cause | None:
    """The cause of an operation that ends because somebody wanted it to."""
    return None if cancel_reason is None else Cause(code=CANCELLED, message=cancel_reason)
