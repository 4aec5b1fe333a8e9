"""What the deployer no longer needs: operations that ended long ago, what is recorded of releases left behind, and old
changes of overrides.

Nothing goes that anybody may still ask for. A command that comes again finds its answer in the inbox, so its operations
stay for at least as long; a release that a site could go back to stays with what its drivers recorded for it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.deployer.settings import DeployerSettings
from services.deployer.site_runs import store as site_runs
from shared.core.pruning import Pruning, TableWalk
from shared.process.db import Connection, Queries
from shared.process.settings import Settings
from shared.values.layers import LAST_CHANGES

SQL = Queries(Path(__file__).with_name("pruning.sql"))

Place = tuple[int, int]
"""Block and row of a table."""


def prunings(settings: Settings, own: DeployerSettings) -> list[Pruning]:
    """All that is pruned here."""
    kept = timedelta(days=max(own.operation_days, settings.inbox_days))

    async def operations(conn: Connection, first: Place, behind: Place) -> None:
        before = datetime.now(UTC) - kept
        await SQL.run(conn, "prune_operations", first=first, behind=behind, before=before)

    async def orders(conn: Connection, first: Place, behind: Place) -> None:
        await SQL.run(conn, "prune_orders", first=first, behind=behind, before=datetime.now(UTC) - kept)

    async def publications(conn: Connection, first: Place, behind: Place) -> None:
        await SQL.run(conn, "prune_publications", first=first, behind=behind, before=datetime.now(UTC) - kept)

    async def runs(conn: Connection, first: Place, behind: Place) -> None:
        await site_runs.prune(conn, first, behind, datetime.now(UTC) - kept)

    async def revisions(conn: Connection, first: Place, behind: Place) -> None:
        await SQL.run(conn, "prune_revisions", first=first, behind=behind)

    async def changes(conn: Connection, first: Place, behind: Place) -> None:
        before = datetime.now(UTC) - timedelta(days=own.override_days)
        named = {"first": first, "behind": behind, "before": before, "keep": LAST_CHANGES}
        await SQL.run(conn, "prune_override_changes", **named)

    return [
        Pruning("operation", TableWalk("operation", operations)),
        Pruning("site_run", TableWalk("site_run", runs)),
        Pruning("driver_order", TableWalk("driver_order", orders)),
        Pruning("publication", TableWalk("publication", publications)),
        Pruning("override_change", TableWalk("override_change", changes)),
        Pruning("component_revision", TableWalk("deployment", revisions)),
    ]
