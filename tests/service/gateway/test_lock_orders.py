"""Replicas that catch up with a strategy and its undo lock what both of them leave in one order."""

from datetime import UTC, datetime

import pytest

from services.gateway.resources.deployments.store import put_deployments
from services.gateway.resources.operations.projection import finished_rows
from services.gateway.resources.prestaged.store import PrestagedRow, put_prestaged
from shared.messages.deployer import OperationSucceeded
from shared.process.db import connect_pool
from shared.wire.codec import Envelope
from tests.service.gateway.told import succeeded
from tests.support.lock_orders import waits_empty_handed
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER_FIRST = ("oslo", "bern")
SHOWN = """
    insert into deployment (site, app, version, status, operation_id, at)
    values ('{site}', 'web', '1.0', 'operational', 'o', now())
"""
LIES = "insert into prestaged (site, app, nth, releases, at) values ('{site}', 'web', 0, '[]', now())"


def end(site: str, nth: int) -> Envelope[OperationSucceeded]:
    told = succeeded(f"o-{nth}", site, nth=nth)
    return Envelope(data=told, id=f"e-{nth}", source="/test", time=NOW)


async def test_deployments_are_put_in_order_of_their_sites(world: World) -> None:
    rows = [row for nth, site in enumerate(LATER_FIRST, 1) for row in finished_rows(end(site, nth))]
    bern, oslo = (SHOWN.format(site=site) for site in reversed(LATER_FIRST))
    async with await connect_pool(world.dsn("gateway")) as pool:
        await waits_empty_handed(pool, bern, oslo, lambda tx: put_deployments(tx.conn, rows))
        assert await pool.fetchval("select array_agg(operation_id order by site) from deployment") == ["o-2", "o-1"]


async def test_what_lies_prestaged_is_put_in_order_of_the_sites(world: World) -> None:
    rows = [PrestagedRow(site, "web", nth, "[]", NOW) for nth, site in enumerate(LATER_FIRST, 1)]
    bern, oslo = (LIES.format(site=site) for site in reversed(LATER_FIRST))
    async with await connect_pool(world.dsn("gateway")) as pool:
        await waits_empty_handed(pool, bern, oslo, lambda tx: put_prestaged(tx.conn, rows))
        assert await pool.fetchval("select array_agg(nth order by site) from prestaged") == [2, 1]
