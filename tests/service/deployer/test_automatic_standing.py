"""What goes by itself is judged by how releases and sites stand: a wish that looks like another leads nowhere else."""

import pytest

from shared.messages.deployer import AutomaticRequested
from tests.service.deployer.audited import ENVIRONMENT, looked_at
from tests.service.deployer.test_automatic import begun, behave, fleet_of
from tests.service.deployer.test_deletion import deleting
from tests.support.world import World

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


async def test_a_release_that_somebody_wants_to_delete_is_left_where_it_runs_until_it_is_withdrawn(
    world: World,
) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0", "2.0.0") as fleet:
        for kind, version in (("apply", "1.0.0"), ("update", "2.0.0")):
            await fleet.do("oslo", kind, version)
        await deleting(fleet, "2.0.0")
        await behave(world, auto_downgrade=True)
        await looked_at(fleet, times=2)
        assert not world.events(AutomaticRequested)
        await fleet.withdraw("2.0.0")
        back = await begun(world, "oslo", "release_withdrawn")
        assert (await fleet.end(back.operation_id)).version == "1.0.0"
