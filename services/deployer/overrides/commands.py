"""Overrides are set, restored and cleared: by hand, and so in their turn, one after the other."""

from collections.abc import Sequence
from typing import Any

from services.deployer.automatic.noting import note_override
from services.deployer.overrides.changing import (
    changed_meanwhile,
    no_such_change,
    not_taken,
    unknown,
    unknown_secrets,
    with_change,
)
from services.deployer.overrides.store import OverrideStore, Told
from services.deployer.overrides.told import keep
from services.deployer.secrets import store as secrets
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Fault, listed
from shared.messages.deployer import ClearOverrides, RestoreOverrides, SetOverrides
from shared.messages.manifest import Component
from shared.messages.opening import IN_AN_EVENT
from shared.values.layers import Kept, Layer, Place
from shared.values.merging import secrets_in
from shared.wire.codec import Envelope

Change = SetOverrides | RestoreOverrides | ClearOverrides


async def change_overrides(tx: Transaction, envelopes: Sequence[Envelope[Any]]) -> list[Reply]:
    """Set, restore or clear, as they came."""
    return [await _change(tx, envelope) for envelope in envelopes]


async def _change(tx: Transaction, envelope: Envelope[Change]) -> Reply:
    """The app is locked first: whoever else changes something there waits, and then sees what this leaves."""
    command, store = envelope.data, OverrideStore(tx.conn)
    place = Place(command.app, command.level, command.target or "", command.component)
    app, target = await store.knows(place)
    if app:
        await store.lock(command.app)
    kept = await store.kept(place)
    layer = await _wanted(store, place, kept, command)
    faults = layer if isinstance(layer, list) else []
    if isinstance(layer, Layer):
        faults = await _faults(tx, place, layer, app=app, target=target or kept.nth > 0)
    if faults := [*changed_meanwhile(kept, command.expected_nth), *faults]:
        return Rejected(listed(faults))
    assert isinstance(layer, Layer)  # noqa: S101 - for the type checker: what is wrong was told
    if layer.digest == kept.layer.digest:
        return Accepted({"nth": kept.nth, "changed": False})
    told = Told(place, kept.nth + 1, layer, envelope.actor, command.reason or _reason(command))
    await keep(tx, [told], envelope.root)
    await note_override(tx, *place)
    return Accepted({"nth": told.nth, "changed": True})


def _reason(command: Change) -> str:
    return f"restored from change {command.nth}" if isinstance(command, RestoreOverrides) else ""


async def _wanted(store: OverrideStore, place: Place, kept: Kept, command: Change) -> Layer | list[Fault]:
    if isinstance(command, ClearOverrides):
        return Layer()
    if isinstance(command, SetOverrides):
        return with_change(kept.layer, command)
    found = await store.changes([(place, command.nth)])
    if before := found.get((place, command.nth)):
        return before
    return [Fault(code="unknown_change", field="nth", message=no_such_change(command.nth, kept.nth), value=command.nth)]


async def _faults(tx: Transaction, place: Place, layer: Layer, *, app: bool, target: bool) -> list[Fault]:
    """What forbids it. To set nothing at all is never forbidden where something is set."""
    if layer.empty and app and target:
        return []
    store = OverrideStore(tx.conn)
    candidates = [
        (version, Component.model_validate(told, context=IN_AN_EVENT), obsolete_of(rules, place.component))
        for version, told, rules in (await store.releases(place) if app else [])
    ]
    named = {name for _, name in secrets_in(dict(layer.values))}
    known = await secrets.known_secrets(tx.conn, named) if named else set()
    below = Layer()
    for _, each in await store.below(place):
        below = below.under(each)
    return [
        *unknown(place, app=app, target=target, candidates=candidates),
        *unknown_secrets(layer.values, known),
        *not_taken(below, layer, candidates),
    ]


def obsolete_of(rules: dict[str, Any] | None, component: str) -> Sequence[str]:
    """The keys of a component that a release calls obsolete, by its rules as they are stored."""
    found: Sequence[str] = (rules or {}).get("obsolete", {}).get(component, ())
    return found
