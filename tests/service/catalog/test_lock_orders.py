"""Bundles are locked in order of their digests, in whatever order deployers speak of them."""

from datetime import UTC, datetime

import pytest

from services.catalog.deletion.handlers import decide
from shared.messages.deployer import ReleaseUseReported
from shared.process.db import connect_pool
from shared.wire.codec import Envelope
from tests.support.lock_orders import waits_empty_handed
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = {"b" * 64: "2.0", "a" * 64: "1.0"}
STORED = """
    with stored as (
        insert into bundle (sha256, bytes, file_name, state, received_at, settled_at)
        values ($1, 1, 'lamp.tar.gz', 'available', now(), now())
    ), released as (
        insert into release (id, app, version, canonical, description, bundle_sha256, upgrades_from_any, published_at)
        values ($1, 'lamp', $2, $2, '', $1, true, now())
    )
    insert into deletion (bundle_sha256, id, reason, correlation_id, actor) values ($1, $2, '', '', '')
"""


def needed(sha256: str, version: str) -> Envelope[ReleaseUseReported]:
    use = ReleaseUseReported(deletion=version, app="lamp", version=version, bundle_sha256=sha256, sites=1)
    return Envelope(data=use, id=version, source="/test", time=NOW)


async def test_what_is_said_of_releases_that_are_to_go_is_taken_in_order_of_their_bundles(world: World) -> None:
    said = [needed(*each) for each in VERSIONS.items()]
    a, b = (f"select from bundle where sha256 = '{sha256}' for update" for sha256 in sorted(VERSIONS))
    async with await connect_pool(world.dsn("catalog")) as pool:
        await pool.execute("insert into app (name, scheme) values ('lamp', 'pep440')")
        for sha256, version in VERSIONS.items():
            await pool.execute(STORED, sha256, version)
        await waits_empty_handed(pool, a, b, lambda tx: decide(None, tx, said))
        assert await pool.fetchval("select count(*) from deletion") == 0
