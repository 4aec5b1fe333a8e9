"""What the containers, volumes and networks of a component are called, and by which labels they are found again. Pure.

Names are for people and for engines, which want them unique; what belongs to whom stands in the labels. A name says one
thing more, because it is all that can be changed of a container that runs: who has been proven.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.deployer.drivers import Order

SITE, APP, COMPONENT = "belay.site", "belay.app", "belay.component"
ORDER, REVISION = "belay.order", "belay.revision"
DEFINITION, BEFORE = "belay.definition", "belay.before"
"""What was wanted of the container, as JSON without secrets; images that a rollback may return to, newest first."""


@dataclass(frozen=True, slots=True)
class Place:
    """One component of one app on one site."""

    site: str
    app: str
    component: str

    @classmethod
    def of(cls, order: Order) -> "Place":
        """Where an order works."""
        return cls(order.site, order.app, order.component.name)

    @property
    def labels(self) -> dict[str, str]:
        """By which everything of the place is found."""
        return {SITE: self.site, APP: self.app, COMPONENT: self.component}

    @property
    def name(self) -> str:
        """The name of its proven container."""
        return _unique(self.site, self.app, self.component)

    @property
    def old_name(self) -> str:
        """The name of the container that was proven before, while the new one takes its place."""
        return f"{self.name}.old"

    def left_name(self, container: str) -> str:
        """The name of a container that was to go, and that its engine does not delete."""
        return f"{self.name}.left-{container[:12]}"

    def aside_name(self, container: str) -> str:
        """The name of a container that was made by hand in place of ours, once it was set aside."""
        return f"{self.name}.aside-{container[:12]}"

    def own_name(self, key: str) -> str:
        """The name of the container that an order makes, until it is proven."""
        return f"{self.name}.{_digest(key)[:12]}"

    def shared_name(self, name: str) -> str:
        """The name on the engine of a volume or network that components of the app share on this site."""
        return _unique(self.site, self.app, name)


def _unique(*parts: str) -> str:
    """Parts may hold what separates them, so the digest keeps `a-b` of `c` apart from `a` of `b-c`."""
    plain = "-".join(re.sub(r"[^a-zA-Z0-9_.-]", "_", part) for part in parts)
    return f"{plain[:180]}-{_digest('/'.join(parts))[:6]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as the engine lists it."""

    id: str
    name: str
    image_id: str
    active: bool
    """It runs, is paused, or its engine will start it again: it holds its ports and may write to its volumes."""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What lies at a place: the proven container, the one that this order makes, and what has no business there."""

    current: Seen | None
    """The proven one; while names change hands also the one that is about to go."""
    own: Seen | None
    """Made by the order; it may be proven already."""
    strays: tuple[Seen, ...]
    """Made by orders of before that did not come to their end, or proven long ago."""

    @property
    def finished(self) -> bool:
        """Whether the order's own container is the proven one."""
        return self.own is not None and self.own is self.current


def standing(place: Place, key: str, found: Sequence[Seen]) -> Standing:
    """Who is who among the containers of a place, for an order."""
    by_name = {seen.name: seen for seen in found}
    own = next((seen for seen in found if seen.labels.get(ORDER) == key and seen.name != place.old_name), None)
    current = by_name.get(place.name) or by_name.get(place.old_name)
    strays = tuple(seen for seen in found if seen is not own and seen is not current)
    return Standing(current, own, strays)
