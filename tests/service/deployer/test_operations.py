"""Operations from their command to their end, on real Kafka and PostgreSQL; the devices' journal is the witness."""

import pytest

from shared.manifest import SimulatedComponent
from shared.messages.deployer import OperationSucceeded
from tests.service.deployer.fleet import ready
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_a_release_is_applied_and_updated_and_rolled_back_and_removed(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        applied = await fleet.do("oslo", "apply", "1.0")
        assert isinstance(applied, OperationSucceeded)
        assert (applied.version, applied.status) == ("1.0", "operational")
        assert fleet.running("oslo") == {"web": "1.0"}
        updated = await fleet.do("oslo", "update", "2.0")
        assert (updated.from_version, updated.version) == ("1.0", "2.0")
        assert fleet.running("oslo") == {"web": "2.0"}
        back = await fleet.do("oslo", "rollback")
        assert [way.action for way in back.plan] == ["rollback"]
        assert fleet.running("oslo") == {"web": "1.0"}
        removed = await fleet.do("oslo", "remove")
        assert (removed.version, removed.status) == (None, "removed")
        assert fleet.running("oslo") == {}


async def test_a_failed_update_returns_to_the_release_that_was_there(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("2.0", SimulatedComponent(name="web", sites={"oslo": "fail"}))
        await fleet.do("oslo", "apply", "1.0")
        failed = await fleet.do("oslo", "update", "2.0")
        assert failed.recovered
        assert failed.cause.code == "failed"
        assert (failed.version, failed.status) == ("1.0", "operational")
        assert fleet.running("oslo") == {"web": "1.0"}
