"""References to secrets in what a site says of its connections: `{"password": {"secret": "oslo-password"}}`. Pure.

Any value may be one, also inside of lists and objects; what a connection is made of itself is not, so that one may
well have a key of the name `secret`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.messages.base import ErrorCode, Fault
from shared.messages.words import IN_WORDS, NAME_PATTERN

KEY = "secret"
_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is named: `password` or `proxies.0.password`."""

    path: str
    name: Any
    alone: bool = True
    """Whether nothing stands beside the name."""

    @property
    def sound(self) -> bool:
        """Whether it can be followed."""
        return self.alone and isinstance(self.name, str) and bool(_NAME.fullmatch(self.name))


def references(params: Mapping[str, Any]) -> list[Reference]:
    """Every reference in a connection's params, sound or not."""
    return list(_inside(params, "")) if params else []


def names_of(params: Mapping[str, Any]) -> set[str]:
    """The secrets that a connection's params need."""
    return {reference.name for reference in references(params) if reference.sound}


def names_in(connections: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The secrets that the connections of a site need, whichever driver they are of."""
    return {name for params in connections.values() if params for name in names_of(params)}


def faults_of_references(params: Mapping[str, Any], field: str) -> list[Fault]:
    """Whatever looks like a reference and is none. `field` is the path of the params."""
    return [_fault(reference, field) for reference in references(params) if not reference.sound]


def faults_in(connections: Mapping[str, Mapping[str, Any]], field: str) -> list[Fault]:
    """The same of all connections of a site. `field` is the path of these."""
    faults = (faults_of_references(params, f"{field}.{driver}") for driver, params in connections.items() if params)
    return [fault for some in faults for fault in some]


def filled(params: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The params with each reference replaced by its value. Raises KeyError for a name without one."""
    return {key: _filled(value, values) for key, value in params.items()}


def _inside(value: Any, path: str) -> Iterator[Reference]:
    for key, inner in _items(value):
        here = f"{path}.{key}" if path else str(key)
        if isinstance(inner, dict) and KEY in inner:
            yield Reference(here, inner[KEY], alone=len(inner) == 1)
        else:
            yield from _inside(inner, here)


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return values[value[KEY]] if KEY in value else {key: _filled(inner, values) for key, inner in value.items()}
    return [_filled(inner, values) for inner in value] if isinstance(value, list | tuple) else value


def _fault(reference: Reference, field: str) -> Fault:
    where = f"{field}.{reference.path}"
    if not reference.alone:
        message = f"a reference has the key `{KEY}` alone; take the others away"
        return Fault(code=ErrorCode.INVALID_FIELD, field=where, message=message)
    message = f"the name of a secret {IN_WORDS[NAME_PATTERN]}"
    return Fault(code=ErrorCode.INVALID_FIELD, field=f"{where}.{KEY}", message=message)
