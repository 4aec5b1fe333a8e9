"""Secrets are set and removed. There are few, and they change by hand: each command in its turn, in their order."""

from collections.abc import Sequence
from typing import Any

from services.deployer.overrides.store import OverrideStore
from services.deployer.secrets import store
from services.deployer.secrets.values import fault_of
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import MOST_FAULTS, Fault, listed, more_faults
from shared.messages.deployer import RemoveSecret, SecretChanged, SecretRemoved, SetSecret
from shared.sealing import KeyPair, Unopenable
from shared.values.layers import Place
from shared.wire.codec import Envelope


async def change_secrets(
    keys: KeyPair, tx: Transaction, envelopes: Sequence[Envelope[SetSecret | RemoveSecret]]
) -> list[Reply]:
    """Set or remove, as they came: one that is removed and set again in a batch must not end as removed."""
    return [
        await _set(keys, tx, envelope) if isinstance(envelope.data, SetSecret) else await _remove(tx, envelope)
        for envelope in envelopes
    ]


async def _set(keys: KeyPair, tx: Transaction, envelope: Envelope[Any]) -> Reply:
    """Opened here, so that a mistake is told now and not by an operation at night."""
    command: SetSecret = envelope.data
    if wrong := _fault_of(keys, command.sealed):
        return Rejected.because("bad_secret", wrong, "sealed")
    version, sequence = await store.set_secret(tx.conn, command.name, command.sealed, envelope.actor, tx.now)
    event = SecretChanged(name=command.name, version=version, at=tx.now, by=envelope.actor)
    tx.emit(event, sequence=sequence, correlation_id=envelope.root)
    return Accepted({"secret": command.name, "version": version})


def _fault_of(keys: KeyPair, sealed: str) -> str | None:
    try:
        return fault_of(keys.open(sealed).decode())
    except Unopenable as error:
        return str(error)
    except UnicodeDecodeError:
        return "must be text in UTF-8; bytes go as base64 that the driver understands"


async def _remove(tx: Transaction, envelope: Envelope[Any]) -> Reply:
    """The sites that name it are not locked: one that is changed this very moment finds out when it needs it."""
    name: str = envelope.data.name
    users = await store.sites_using(tx.conn, name, MOST_FAULTS)
    places, total = await OverrideStore(tx.conn).using_secret(name, MOST_FAULTS)
    if users.total or total:
        return Rejected(listed((*_in_use(name, users), *_in_overrides(name, places, total))))
    sequence = await store.remove_secret(tx.conn, name, envelope.actor, tx.now)
    if sequence is None:
        return Rejected.because("unknown_secret", f"there is no secret '{name}'", "name", name)
    event = SecretRemoved(name=name, at=tx.now, by=envelope.actor)
    tx.emit(event, sequence=sequence, correlation_id=envelope.root)
    return Accepted({"secret": name})


def _in_use(name: str, users: store.Users) -> tuple[Fault, ...]:
    """A fault for each site, and how many more there are as a last one."""
    faults = [
        Fault(
            code="secret_in_use",
            field="name",
            message=f"site '{site}' names the secret '{name}' in a connection; change the site first",
            value=site,
        )
        for site in users.first
    ]
    more = users.total - len(faults)
    return (*faults, more_faults(more)) if more else tuple(faults)


def _in_overrides(name: str, places: Sequence[Place], total: int) -> tuple[Fault, ...]:
    faults = [
        Fault(
            code="secret_in_use",
            field="name",
            message=f"what is set for '{place.component}' of '{place.app}' at {_at(place)} names the secret '{name}', "
            "or what runs was deployed with it; change that first",
            value=place.target or "fleet",
        )
        for place in places
    ]
    more = total - len(faults)
    return (*faults, more_faults(more)) if more else tuple(faults)


def _at(place: Place) -> str:
    return f"{place.level} '{place.target}'" if place.target else "the fleet"
