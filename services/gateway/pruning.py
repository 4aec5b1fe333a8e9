"""What the gateway forgets: what ended or was answered long ago, deleted strategies, old entries of the audit.

What is not over stays, and what an owner would still tell about it. The event stream is kept short by itself
(events/hub.py).
"""

from datetime import timedelta

from services.gateway.resources.audit import store as audit
from services.gateway.resources.commands import store as commands
from services.gateway.resources.notifications import store as notifications
from services.gateway.resources.operations import store as operations
from services.gateway.resources.overrides import store as overrides
from services.gateway.resources.publications import store as publications
from services.gateway.resources.site_runs import store as site_runs
from services.gateway.resources.strategies import store as strategies
from services.gateway.resources.subscriptions import store as subscriptions
from services.gateway.resources.uploads import store as uploads
from services.gateway.settings import GatewaySettings
from shared.core.pruning import Batch, Pruning, old
from shared.core.transaction import Transaction

NOTIFICATION_DAYS = 90
"""As the notifier keeps them, unless it is told otherwise: what it forgot nobody could mark as read any more."""

OVERRIDE_DAYS = 90
"""As the deployer keeps changes of overrides, unless it is told otherwise: what it forgot nobody could set again."""


def prunings(own: GatewaySettings) -> list[Pruning]:
    """All that is pruned here."""
    days = own.history_days
    return [
        Pruning("command", old(commands.prune, days)),
        Pruning("publication", old(publications.prune, days)),
        Pruning("upload", old(uploads.prune, 0)),
        Pruning("operation", old(operations.prune, days)),
        Pruning("site_run", old(site_runs.prune, days)),
        Pruning("delivery", old(subscriptions.prune, days)),
        Pruning("strategy", deleted_strategies(days)),
        Pruning("notification", old(notifications.prune, NOTIFICATION_DAYS)),
        Pruning("override_change", old(overrides.prune, OVERRIDE_DAYS)),
        Pruning("audit", old(audit.prune, own.audit_days)),
    ]


def deleted_strategies(days: float) -> Batch:
    """What was deleted so many days ago: its steps and its story in batches, then the strategy itself."""

    async def batch(tx: Transaction, limit: int) -> bool:
        return await strategies.prune(tx.conn, tx.now - timedelta(days=days), limit)

    return batch
