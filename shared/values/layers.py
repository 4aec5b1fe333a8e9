"""What is set at each level, and all of it together. Pure.

A change of an override never changes again, so it is named and not copied: `fleet/web/3` is what was set for the
component `web` of the whole fleet after the third change there, `group:north/web/1` that of a group, `site/web/2` that
of the site itself. `site/web/2/values` is its values alone, `site/web/2/attributes` the rest.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from shared.values.merging import over

VALUES, ATTRIBUTES = "values", "attributes"
LAST_CHANGES = 100
"""Of each place, kept however old they are: so far back a person goes."""

_RANK = {"fleet": 0, "group": 1, "site": 2}


class Place(NamedTuple):
    """Where something is set: its history is its own."""

    app: str
    level: str
    target: str
    """The group or the site; empty = the fleet."""
    component: str


class Change(NamedTuple):
    """A change at a place, by its number there."""

    place: Place
    nth: int
    part: str
    """VALUES or ATTRIBUTES; empty = both."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What is set for a component: at one level, or at all of them together."""

    values: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool | None = None
    namespace: str | None = None

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not self.values and self.enabled is None and self.namespace is None

    @property
    def digest(self) -> str:
        """The same for the same content."""
        told = json.dumps([self.values, self.enabled, self.namespace], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def only(self, part: str) -> "Layer":
        """A part of it; empty = all."""
        if part == VALUES:
            return Layer(self.values)
        return Layer({}, self.enabled, self.namespace) if part == ATTRIBUTES else self

    def under(self, above: "Layer") -> "Layer":
        """This, with a stronger one over it."""
        return Layer(
            over(self.values, above.values),
            self.enabled if above.enabled is None else above.enabled,
            self.namespace if above.namespace is None else above.namespace,
        )


class Kept(NamedTuple):
    """What is set at a place now."""

    layer: Layer
    nth: int
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Effective:
    """What is set for an app on a site, of all levels together."""

    layers: Mapping[str, Layer] = field(default_factory=dict)
    """By component; those of which nothing is set are not in it."""
    digests: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """The same for the same content; empty = nothing is set."""

    @staticmethod
    def of(layers: Mapping[str, Layer]) -> "Effective":
        """From what is set for each component."""
        said = {name: layer for name, layer in sorted(layers.items()) if not layer.empty}
        digests = {name: layer.digest for name, layer in said.items()}
        key = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:32] if said else ""
        return Effective(said, digests, key)


NOTHING = Effective()


def written(place: Place, nth: int) -> str:
    """How a change is named where the app and the site are known."""
    level = f"{place.level}:{place.target}" if place.level == "group" else place.level
    return f"{level}/{place.component}/{nth}"


def part_of(ref: str, part: str) -> str:
    """A part of a change."""
    return f"{ref}/{part}"


def is_of_site(ref: str) -> bool:
    """Whether it is set for the site alone."""
    return ref.startswith("site/")


def read(ref: str, app: str, site: str) -> Change:
    """The change that is named so, of an app on a site. Names hold neither slashes nor colons."""
    level, component, nth, *part = ref.split("/")
    level, _, target = level.partition(":")
    place = Place(app, level, site if level == "site" else target, component)
    return Change(place, int(nth), part[0] if part else "")


def in_order(refs: Iterable[str]) -> tuple[str, ...]:
    """From the weakest to the strongest, and always the same for the same ones."""
    return tuple(sorted(refs, key=lambda ref: (_RANK.get(ref.partition("/")[0].partition(":")[0], 3), ref)))


def together(set_at: Iterable[tuple[Change, Layer]]) -> Effective:
    """All levels as one, the weakest first."""
    found: dict[str, Layer] = {}
    for change, layer in set_at:
        name = change.place.component
        found[name] = found.get(name, Layer()).under(layer.only(change.part))
    return Effective.of(found)
