"""What is set, laid over the values of a release; and what has changed since something was deployed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared import components
from shared.messages.overrides import ValueChange
from shared.values.layers import NOTHING, Change, Effective, Layer, read, together
from shared.values.merging import changes, onto, origins
from shared.values.paths import written

RELEASE = "release"
MOST = 100
LONGEST = 200


def defaults(component: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, bool]:
    """The values that a release gives a component, its namespace, and whether it is on by itself.

    Of a driver that is not installed here nothing is known of where its values stand.
    """
    model, spec = components.specs().get(component["driver"]), component.get("spec", {})
    enabled = component.get("enabled", True)
    if model is None:
        return {}, None, enabled
    values = spec.get(model.values_field) if model.values_field else None
    namespace = spec.get(model.namespace_field) if model.namespace_field else None
    return values if isinstance(values, dict) else {}, namespace, enabled


def merged(
    release: dict[str, Any], levels: Sequence[tuple[str, dict[str, Any]]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """All values together, and by path which level each came from; what is taken away is told as null."""
    above: dict[str, Any] = {}
    for _, values in levels:
        above = dict(Layer(above).under(Layer(values)).values)
    return onto(release, above, nulls_travel=True), origins([(RELEASE, release), *levels])


def named(refs: Iterable[str], app: str, site: str) -> list[Change]:
    """The changes that a deployment names."""
    return [read(ref, app, site) for ref in refs]


def effective(named_changes: Iterable[Change], known: Mapping[tuple[Any, int], Layer]) -> Effective:
    """What these changes set together."""
    found = [(change, known.get((change.place, change.nth), Layer())) for change in named_changes]
    return together(found) if found else NOTHING


def since(before: Effective, now: Effective) -> list[dict[str, Any]]:
    """By component that differs: what has changed since it was deployed."""
    names = sorted(before.layers.keys() | now.layers.keys())
    return [
        _differs(name, before.layers.get(name, Layer()), now.layers.get(name, Layer()))
        for name in names
        if before.digests.get(name) != now.digests.get(name)
    ]


def _differs(name: str, before: Layer, now: Layer) -> dict[str, Any]:
    found = [
        ValueChange(path=_cut(written(c.path)), before=c.before and _cut(c.before), after=c.after and _cut(c.after))
        for c in list(changes(before.values, now.values))[:MOST]
    ]
    switched = [
        f"{word}: {_said(old)} -> {_said(new)}"
        for word, old, new in (
            ("enabled", before.enabled, now.enabled),
            ("namespace", before.namespace, now.namespace),
        )
        if old != new
    ]
    return {"component": name, "values": found, "attributes": switched}


def _said(value: Any) -> str:
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
