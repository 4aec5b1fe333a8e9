"""What goes by itself is judged by how releases and sites stand: a wish that looks like another leads nowhere else."""

import pytest

from shared.messages.base import CommandAccepted
from shared.messages.deployer import AutomaticRequested, DriftEnded, DriftFound, OperationFailed, SetOverrides
from shared.messages.rules import Rules
from tests.service.deployer.audited import ENVIRONMENT, looked_at
from tests.service.deployer.fleet import APP, Fleet
from tests.service.deployer.test_automatic import begun, behave, breaks, fleet_of
from tests.service.deployer.test_deletion import deleting
from tests.support.patience import until_so
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


async def test_a_first_apply_that_was_left_half_done_is_taken_away_and_another_release_comes(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0", "2.0.0") as fleet:
        await fleet.tell_site("oslo", {"simulated": {"simulated": "fail"}})
        await fleet.known(fleet.service)
        left = await fleet.do("oslo", "apply", "2.0.0", recover="never")
        assert isinstance(left, OperationFailed)
        assert (left.version, left.status) == (None, "apply_error")
        await fleet.tell_site("oslo", {"simulated": {}})
        await fleet.known(fleet.service)
        await behave(world, desired_state="deployed", deployed_on={"sites": ["oslo"]})
        gone = await begun(world, "oslo", "drift_found")
        assert (gone.kind, (await fleet.end(gone.operation_id)).status) == ("recover", "new")
        then = await begun(world, "oslo", "desired_deployed")
        assert (await fleet.end(then.operation_id)).version == "1.0.0"


async def test_what_was_found_of_an_app_is_over_once_the_app_is_gone(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0") as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await breaks(fleet, "oslo")
        await behave(world, audit=True)
        await world.until(DriftFound)
        await fleet.do("oslo", "remove")
        await world.until(DriftEnded, lambda event: event.sites == ("oslo",))
        assert not await fleet.service.pool.fetchval("select count(*) from drift")


PAUSED = "update automatic_pause set until = now() + interval '1 hour'"
GOES_ON = "update automatic_pause set until = '-infinity'"


async def with_an_event_that_waits(fleet: Fleet) -> None:
    """Release 1.0.0 runs on oslo, and is to be applied again since what is set for it has changed."""
    rules = {"behaviour": {"reapply_on": [{"event": "overrides_changed"}]}}
    await fleet.release("1.0.0", rules=Rules.model_validate(rules))
    await fleet.known(fleet.service)
    await fleet.do("oslo", "apply", "1.0.0")
    await fleet.service.pool.execute(PAUSED)
    change = SetOverrides(app=APP, level="site", target="oslo", component="web", values={"seed": 7})
    assert isinstance(await fleet.world.ask(change), CommandAccepted)


async def looked_for(fleet: Fleet, code: str) -> None:
    """Until somebody looks there for this reason."""
    await until_so(lambda: fleet.service.pool.fetchval("select cause ->> 'code' = $1 from automatic_wish", code))


async def test_an_event_that_waits_has_its_turn_though_somebody_looked_there_for_what_is_over(world: World) -> None:
    async with fleet_of(world, ["oslo"]) as fleet:
        await with_an_event_that_waits(fleet)
        await fleet.release("2.0.0")
        await fleet.known(fleet.service)
        await behave(world, auto_update=True)
        await looked_for(fleet, "newer_release")
        await fleet.withdraw("2.0.0")
        await fleet.known(fleet.service)
        await looked_at(fleet, times=1)
        await fleet.service.pool.execute(GOES_ON)
        event = await begun(world, "oslo", "overrides_changed")
        assert (event.kind, (await fleet.end(event.operation_id)).status) == ("apply", "operational")


async def test_an_event_that_waits_has_its_turn_after_a_recovery_which_brings_back_what_was_set_before(
    world: World,
) -> None:
    async with fleet_of(world, ["oslo"]) as fleet:
        await with_an_event_that_waits(fleet)
        await breaks(fleet, "oslo")
        await behave(world, desired_state="deployed")
        await looked_for(fleet, "drift_found")
        await fleet.service.pool.execute(GOES_ON)
        recovery = await begun(world, "oslo", "drift_found")
        assert recovery.kind == "recover"
        event = await begun(world, "oslo", "overrides_changed")
        assert (event.kind, (await fleet.end(event.operation_id)).status) == ("apply", "operational")


async def test_a_site_that_was_removed_and_is_registered_again_has_its_apps_applied_again(world: World) -> None:
    rules = {"behaviour": {"reapply_on": [{"event": "site_registered"}]}}
    async with fleet_of(world, ["oslo"]) as fleet:
        await fleet.release("1.0.0", rules=Rules.model_validate(rules))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        await fleet.forget("oslo")
        await fleet.known(fleet.service)
        await fleet.sites("oslo")
        event = await begun(world, "oslo", "site_registered")
        assert (event.kind, (await fleet.end(event.operation_id)).status) == ("apply", "operational")
