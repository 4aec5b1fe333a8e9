"""What a bundle says it is, whatever else is wrong with it: by that it is judged beside other releases. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from shared import versions
from shared.messages.manifest import Named, Verified
from shared.messages.rules import AnyDependency

from .signing import Signed


@dataclass(frozen=True, slots=True)
class Claim:
    """A release as far as the catalog compares it with what it knows."""

    app: str
    version: str
    scheme: versions.Scheme
    depends_on: tuple[AnyDependency, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    """File and line of the bundle that say a field, by its name."""
    signed: Signed | None = None
    """Its list of checksums with the signatures under it; None = nobody has signed it."""

    @classmethod
    def of(cls, verified: Verified) -> Self:
        """That of a bundle without faults."""
        v = verified
        return cls(v.app, v.version, v.scheme, v.depends_on, v.places, v.signed)


def claim_of(said: Mapping[str, Any], places: Mapping[str, str]) -> Claim | None:
    """That of fields as they are written; None where app, scheme or version cannot be read.

    What it needs counts as nothing where that cannot be read: a fault of its own says so.
    """
    try:
        named = Named.model_validate({name: said[name] for name in Named.model_fields if name in said})
    except ValidationError:
        return None
    try:
        depends_on = _DEPENDENCIES.validate_python(said.get("depends_on") or ())
    except ValidationError:
        depends_on = ()
    return Claim(named.app, named.version, named.scheme, depends_on, places)


_DEPENDENCIES: TypeAdapter[tuple[AnyDependency, ...]] = TypeAdapter(tuple[AnyDependency, ...])
