"""Publications come to their end: each is told once, in the transaction that ends it."""

from services.catalog.publication import store
from services.catalog.publication.domain import Outcome, settled
from shared.core.transaction import Transaction


async def end(tx: Transaction, outcome: Outcome) -> None:
    """Tell all who published this bundle, and those who published it again meanwhile, what became of it."""
    for publication in await store.end_publications(tx.conn, outcome.sha256):
        event = settled(publication, outcome)
        tx.emit(event, sequence=1, correlation_id=publication.correlation_id, actor=publication.actor)
