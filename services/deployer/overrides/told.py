"""Changes of overrides are kept and told."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.deployer.overrides.store import OverrideStore, Told
from shared.core.transaction import Transaction
from shared.messages.deployer import OverridesChanged
from shared.values.layers import ATTRIBUTES, VALUES, Layer, Place, read
from shared.values.merging import secrets_in


class Dropped(NamedTuple):
    """What is set for a site alone and is to be dropped."""

    app: str
    site: str
    refs: tuple[str, ...]
    operation: str
    by: str
    """Who asked for the operation."""


async def keep(tx: Transaction, told: Sequence[Told], correlation_id: str = "") -> None:
    """Write changes and say so."""
    named = [sorted({name for _, name in secrets_in(dict(each.layer.values))}) for each in told]
    await OverrideStore(tx.conn).put(told, named, tx.now)
    for each in told:
        tx.emit(_event(tx, each), sequence=each.nth, correlation_id=correlation_id, actor=each.by)


def _event(tx: Transaction, told: Told) -> OverridesChanged:
    place, layer = told.place, told.layer
    return OverridesChanged(
        app=place.app,
        level=place.level,
        target=place.target or None,
        component=place.component,
        values=dict(layer.values),
        enabled=layer.enabled,
        namespace=layer.namespace,
        nth=told.nth,
        at=tx.now,
        by=told.by,
        reason=told.reason[:1_000],
    )


async def drop(tx: Transaction, dropped: Iterable[Dropped]) -> None:
    """What was set for single sites is dropped, as their operations were asked; what somebody has set since stays."""
    asked: dict[tuple[Place, int], tuple[Dropped, set[str]]] = {}
    for each in dropped:
        for change in (read(ref, each.app, each.site) for ref in each.refs):
            asked.setdefault((change.place, change.nth), (each, set()))[1].add(change.part)
    if not asked:
        return
    found = await OverrideStore(tx.conn).set_at(asked)
    told = []
    for (place, nth), (each, parts) in asked.items():
        kept = found.get(place)
        left = _left(kept.layer, parts) if kept else None
        if kept and left is not None and left.digest != kept.layer.digest:
            told.append(Told(place, nth + 1, left, each.by, f"dropped by operation {each.operation}"))
    if told:
        await keep(tx, told)


def _left(layer: Layer, parts: set[str]) -> Layer:
    if "" in parts or {VALUES, ATTRIBUTES} <= parts:
        return Layer()
    return layer.only(ATTRIBUTES) if VALUES in parts else layer.only(VALUES)


async def forget(tx: Transaction, level: str, targets: Sequence[str]) -> None:
    """A site or group of the same name that comes later may be another: nothing is set for it."""
    found = await OverrideStore(tx.conn).set_for(level, targets)
    if found:
        why = f"the {level} was removed"
        await keep(tx, [Told(place, kept.nth + 1, Layer(), "", why) for place, kept in found])
