"""Commands about keys that may sign."""

from collections.abc import Sequence

from services.catalog.signing import store
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.catalog import RemoveSigningKey, SetSigningKey, SigningKeyChanged, SigningKeyRemoved
from shared.wire.codec import Envelope


async def change_keys(
    _: object, tx: Transaction, envelopes: Sequence[Envelope[SetSigningKey | RemoveSigningKey]]
) -> Sequence[Reply]:
    """Trust keys, or trust them no more, in the order in which that was said."""
    return [await _change(tx, envelope) for envelope in envelopes]


async def _change(tx: Transaction, envelope: Envelope[SetSigningKey | RemoveSigningKey]) -> Reply:
    c = envelope.data
    if isinstance(c, SetSigningKey):
        await store.put_key(tx.conn, c.app, c.name, c.public_key, c.expires_at)
        about = {"app": c.app, "name": c.name, "public_key": c.public_key, "expires_at": c.expires_at}
        tx.emit(SigningKeyChanged(**about, by=envelope.actor, at=tx.now), cause=envelope)
        return Accepted({"app": c.app, "name": c.name})
    if not await store.remove_key(tx.conn, c.app, c.name):
        return Rejected.because("unknown_signing_key", f"{c.app} has no key of this name", "name", c.name)
    tx.emit(SigningKeyRemoved(app=c.app, name=c.name, by=envelope.actor, at=tx.now), cause=envelope)
    return Accepted({"app": c.app, "name": c.name})
