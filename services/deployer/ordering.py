"""The order in which the components of one plan are taken: who waits for whom, and how many at once. Pure."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from services.deployer.phases import CHANGED, GONE, Leg
from services.deployer.plan import Content, Ground, Plan

Waits = Mapping[str, tuple[str, ...]]
"""By component, those of the same phase that must have ended before it begins."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """Of the components of one leg."""

    waits: Waits = field(default_factory=dict)
    at_once: int | None = None
    """So many change at the same time; None = all that need not wait."""

    @property
    def free(self) -> bool:
        """Whether all begin together."""
        return not self.waits and self.at_once is None

    def ready(self, names: Iterable[str], under_way: Set[str], ended: Set[str]) -> list[str]:
        """Those of the names, in their order, that may begin now."""
        left = [name for name in names if name not in under_way and name not in ended]
        ready = [name for name in left if all(before in ended for before in self.waits.get(name, ()))]
        if not ready and not under_way:
            ready = left  # no order that was published can come to this; but nothing may wait for ever
        return ready if self.at_once is None else ready[: max(self.at_once - len(under_way), 0)]


FREE = Ordering()


def ordering_of(plan: Plan, ground: Ground, version: str | None, leg: Leg) -> Ordering:
    """The order of a plan towards a release, or away from all: what changes comes as `after` says, on the way back and
    where components go in reverse."""
    if len(plan) < 2:  # nearly every plan
        return FREE
    content = ground.toward(version, leg)
    limited = content or ground.contents.get(ground.deployment.version or "")
    at_once = limited.max_parallel if limited else None
    changed = _waits(plan, CHANGED, _after(content) if content else {})
    gone = _reversed(_waits(plan, GONE, _after_of_any(ground)))
    waits = {**(changed if leg is Leg.FORWARD else _reversed(changed)), **gone}
    return Ordering(waits, at_once) if waits or at_once else FREE


def _after(content: Content) -> Waits:
    return {name: component.after for name, component in content.components.items() if component.after}


def _after_of_any(ground: Ground) -> Waits:
    """As each component was last defined."""
    if not any(component.after for content in ground.all_contents for component in content.components.values()):
        return {}
    names = {name for content in ground.all_contents for name in content.components}
    return {name: ground.definition(name).after for name in names}


def _waits(plan: Plan, actions: Set[str], after: Waits) -> dict[str, tuple[str, ...]]:
    """Who of these waits for whom of these, through components that stay as they are."""
    if not after:
        return {}
    names = {way.component for way in plan if way.action in actions}
    found = {name: tuple(sorted(_before(name, after) & names)) for name in names}
    return {name: before for name, before in found.items() if before}


def _before(name: str, after: Waits) -> set[str]:
    """All that come before a component, near and far; in a circle also itself, which nobody waits for."""
    found: set[str] = set()
    left = [*after.get(name, ())]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += after.get(one, ())
    return found - {name}


def _reversed(waits: Waits) -> dict[str, tuple[str, ...]]:
    turned: dict[str, tuple[str, ...]] = {}
    for name, before in sorted(waits.items()):
        for one in before:
            turned[one] = (*turned.get(one, ()), name)
    return turned
