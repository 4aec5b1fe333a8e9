"""Secrets, and the public keys that they are sealed to."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.gone import Gone, newest
from services.gateway.resources.secrets import store
from services.gateway.resources.secrets.store import SecretRow
from shared.messages import deployer, notifier
from shared.wire.codec import Envelope


async def learn_secrets(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Secrets that were set or removed; an owner's key is the one that it said last."""
    rows = list(_rows(events))
    if there := newest(rows, SecretRow):
        await store.put_secrets(tx.conn, there)
    if gone := newest(rows, Gone):
        await store.remove_secrets(tx.conn, gone)
    for event in events:
        if isinstance(event.data, KEYS):
            await store.put_sealing_key(tx.conn, event.data.OWNER, event.data.public_key, event.time)


def _rows(events: Sequence[Envelope[Any]]) -> Iterable[SecretRow | Gone]:
    for event in events:
        s = event.data
        if isinstance(s, deployer.SecretChanged):
            yield SecretRow(s.name, s.version, s.at, s.by, event.sequence)
        elif isinstance(s, deployer.SecretRemoved):
            yield Gone(s.name, event.sequence, event.time)


KEYS = (deployer.DeployerKeyReported, notifier.NotifierKeyReported)
KINDS = (deployer.SecretChanged, deployer.SecretRemoved, *KEYS)
