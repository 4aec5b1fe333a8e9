"""Operations on real processes, through Kafka, PostgreSQL and the process driver; asked is the application itself."""

from pathlib import Path

import pytest

from services.deployer.drivers.process.driver import ProcessDriver
from shared.messages.deployer import OperationFailed, OperationSucceeded
from tests.service.deployer.fleet import ready
from tests.support import process_sites as sites
from tests.support.components import as_published
from tests.support.process_sites import Bundles
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_a_release_that_answers_wrongly_is_found_out_and_the_old_one_serves_again(
    world: World, home: Path, bundles: Bundles, driver: ProcessDriver, port: int
) -> None:
    bundle = bundles.make("one")
    async with ready(world, [], [], also={"process": driver}, recovery_seconds=60, stop_seconds=20) as fleet:
        await fleet.sites("s1", driver="process", params={"host": "host-a", "port": port})
        await fleet.release("1.0", as_published(sites.component("says=1.0")), bundle_sha256=bundle)
        await fleet.release("2.0", as_published(sites.component("says=2.0")), bundle_sha256=bundle)
        liar = as_published(sites.component("says=2.0", health={"start_seconds": 3}))
        await fleet.release("3.0", liar, bundle_sha256=bundle)
        await fleet.known(fleet.service)
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        assert isinstance(await fleet.do("s1", "update", "2.0"), OperationSucceeded)
        failed = await fleet.do("s1", "update", "3.0")
        assert isinstance(failed, OperationFailed)
        assert (failed.recovered, failed.version) == (True, "2.0")
        assert await sites.ask(port) == {"app": {"version": "2.0"}}
        back = await fleet.do("s1", "rollback")
        assert [way.action for way in back.plan] == ["rollback"]
        assert await sites.ask(port) == {"app": {"version": "1.0"}}
        assert isinstance(await fleet.do("s1", "remove"), OperationSucceeded)
        assert sites.components(home) == []
