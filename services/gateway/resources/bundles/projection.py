"""Bundles that the catalog did not take. What else became of them comes with their releases."""

from collections.abc import Sequence

import asyncpg

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.bundles import store


async def learn_refusals(tx: LearningTransaction, answered: Sequence[asyncpg.Record]) -> None:
    """The faults that the catalog found in an uploaded bundle."""
    refused = [(row["body"]["bundle_sha256"], text(row["faults"])) for row in answered if row["state"] == "rejected"]
    if refused:
        await store.refuse_bundles(tx.conn, refused, tx.now)
