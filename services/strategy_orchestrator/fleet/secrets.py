"""The handler of what the deployer says of secrets: which there are, so that plans know which sites lack one."""

from collections.abc import Sequence

from services.strategy_orchestrator import store
from shared.core.transaction import Transaction
from shared.messages.deployer import SecretChanged, SecretRemoved
from shared.wire.codec import Envelope


async def secrets_changed(tx: Transaction, batch: Sequence[Envelope[SecretChanged | SecretRemoved]]) -> None:
    """Learn of secrets, and forget them: of each the last word counts."""
    there = {envelope.data.name: isinstance(envelope.data, SecretChanged) for envelope in batch}
    await store.secrets.put_secrets(tx.conn, [name for name, known in there.items() if known])
    await store.secrets.remove_secrets(tx.conn, [name for name, known in there.items() if not known])
