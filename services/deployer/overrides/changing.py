"""What a change of overrides leaves at its place, and what is wrong with it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from services.deployer.overrides.fitting import fitted
from shared.components import UnknownDriver
from shared.messages.base import ErrorCode, Fault
from shared.messages.deployer import SetOverrides
from shared.messages.manifest import Component
from shared.messages.overrides import LONGEST_VALUES
from shared.values.layers import LAST_CHANGES, Kept, Layer, Place
from shared.values.merging import over, secrets_in
from shared.values.paths import BadPath, parsed, taken_away, written

Candidate = tuple[str, Component, Sequence[str]]
"""A release by its version, its component, and the keys of that which it calls obsolete."""


def with_change(kept: Layer, command: SetOverrides) -> Layer | list[Fault]:
    """What is set after a change, or what is wrong with the change in itself."""
    values: dict[str, Any] = {} if command.replace else dict(kept.values)
    faults = [] if _says_something(command) else [_nothing()]
    for place, key in enumerate(command.unset):
        try:
            fewer = taken_away(values, parsed(key))
        except BadPath as error:
            faults.append(Fault(code=ErrorCode.INVALID_FIELD, field=f"unset.{place}", message=str(error), value=key))
            continue
        if fewer is None:
            message = f"'{key}' is not set there; `belay overrides show` tells what is"
            faults.append(Fault(code="unknown_key", field=f"unset.{place}", message=message, value=key))
        else:
            values = fewer
    merged = over(values, command.values)
    if (size := len(str(merged))) > LONGEST_VALUES:
        message = f"together with what is set there it has {size} characters, and at most {LONGEST_VALUES} are kept"
        faults.append(Fault(code="overrides_invalid", field="values", message=message))
    enabled, namespace = (None, None) if command.clear_attributes else (kept.enabled, kept.namespace)
    enabled = enabled if command.enabled is None else command.enabled
    return faults or Layer(merged, enabled, command.namespace or namespace)


def _says_something(command: SetOverrides) -> bool:
    attributes = command.enabled is not None or command.namespace or command.clear_attributes
    return bool(command.values or command.unset or command.replace or attributes)


def _nothing() -> Fault:
    message = "give values, keys to unset, or an attribute; nothing would be changed"
    return Fault(code=ErrorCode.MISSING_FIELD, field="values", message=message)


def changed_meanwhile(kept: Kept, expected: int | None) -> Iterator[Fault]:
    """Somebody was faster: what is there now is told, so that the next try knows of it."""
    if expected is not None and expected != kept.nth:
        last = f", the last by {kept.by or 'nobody named'} at {kept.at:%Y-%m-%d %H:%M:%S} UTC" if kept.at else ""
        there = ", ".join(written(path) for path in _keys(kept.layer.values))[:500] or "no values"
        message = f"there were {kept.nth} changes and not {expected}{last}; set there now: {there}"
        yield Fault(code="overrides_changed", field="expected_nth", message=message, value=kept.nth)


def no_such_change(nth: int, made: int) -> str:
    """Why what was set after a change cannot be set again."""
    if not made:
        return "nothing was ever set there"
    if 0 < nth <= made - LAST_CHANGES:
        return f"it was made long ago and is forgotten: the last {LAST_CHANGES} of {made} changes there are kept"
    return f"there were {made} changes there; name one of them"


def _keys(values: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in list(values.items())[:50]:
        inner = value if isinstance(value, dict) else {}
        yield from ((key, *path) for path in _keys(inner)) if inner else iter([(key,)])


def unknown(place: Place, *, app: bool, target: bool, candidates: Collection[Candidate]) -> Iterator[Fault]:
    """What the command names and is not there."""
    if not app:
        message = f"no release of '{place.app}' was ever published"
        yield Fault(code="unknown_app", field="app", message=message, value=place.app)
    elif not candidates:
        message = f"no release of '{place.app}' that runs or may be chosen has a component '{place.component}'"
        yield Fault(code="unknown_component", field="component", message=message, value=place.component)
    if not target:
        words = {"site": "there is no site '{}'; register it first", "group": "no site belongs to a group '{}'"}
        message = words[place.level].format(place.target)
        yield Fault(code=f"unknown_{place.level}", field="target", message=message, value=place.target)


def unknown_secrets(values: Mapping[str, Any], known: Collection[str]) -> Iterator[Fault]:
    """Secrets that values name and that are not kept."""
    for path, name in secrets_in(dict(values)):
        if name not in known:
            message = (
                f"there is no secret '{name}'; set it first. If no secret is meant, set another key beside `secret`"
            )
            yield Fault(code="unknown_secret", field=f"values.{written(path)}", message=message, value=name)


def not_taken(below: Layer, layer: Layer, candidates: Sequence[Candidate]) -> list[Fault]:
    """What is wrong with it for every release that it may come to, told of the last; where one takes it, nothing."""
    faults: list[Fault] = []
    for version, component, obsolete in candidates:
        faults = _of(version, component, below.under(layer), obsolete)
        if not faults:
            return []
    return faults


def _of(version: str, component: Component, layer: Layer, obsolete: Sequence[str]) -> list[Fault]:
    try:
        found = fitted(component, layer, obsolete)
    except UnknownDriver as error:
        return [Fault(code="overrides_invalid", field="component", message=str(error), value=component.driver)]
    except ValidationError:
        return []  # the release itself cannot be read here, whatever is set
    prefix = f"overrides.{component.name}."
    faults = found if isinstance(found, list) else []
    return [
        fault.model_copy(
            update={"field": fault.field.removeprefix(prefix), "message": f"release {version}: {fault.message}"}
        )
        for fault in faults
    ]
