"""How apps behave is said by people, over what releases say; failed releases are cleared."""

from typing import Any

import pytest

from services.deployer.automatic import store
from services.deployer.automatic.store import Failure
from shared.messages.automatic import Switches
from shared.messages.base import Cause, CommandAccepted, CommandRejected
from shared.messages.deployer import BehaviourChanged, ClearFailedRelease, FailedReleaseChanged, SetAppBehaviour
from tests.service.deployer.fleet import APP, Fleet, ready
from tests.support.world import World

pytestmark = pytest.mark.service


async def said(world: World, actor: str = "ada", **facts: Any) -> Any:
    return await world.ask(SetAppBehaviour.model_validate({"app": APP, **facts}), actor=actor)


async def codes(world: World, command: Any) -> list[tuple[str, str]]:
    answer = await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return [(fault.code, fault.field) for fault in answer.faults]


async def test_what_people_say_adds_up_and_can_be_taken_back(world: World) -> None:
    async with ready(world, [], ["1.0.0"]):
        assert (await said(world, switches={"auto_update": True, "audit": True})).result["nth"] == 1
        await said(world, actor="bob", switches={"audit": False}, as_released=["auto_update"], reason="trial is over")
        last = await world.until(BehaviourChanged, lambda event: event.nth == 2)
        assert last.switches == Switches(audit=False)
        assert (last.by, last.reason) == ("bob", "trial is over")


async def test_what_says_nothing_or_contradicts_itself_is_refused_whole(world: World) -> None:
    async with ready(world, [], ["1.0.0"]):
        assert await codes(world, SetAppBehaviour(app=APP)) == [("missing_field", "switches")]
        both = SetAppBehaviour(app="nobody", switches=Switches(audit=True), as_released=("audit",))
        assert await codes(world, both) == [("unknown_app", "app"), ("invalid_field", "as_released")]


async def failed(fleet: Fleet, *sites: str) -> None:
    async with fleet.service.ledger.transaction() as tx:
        cause = Cause(code="failed", message="the device reported a failure")
        await store.add_failures(
            tx.conn, [Failure(APP, "1.0.0", site, "an-operation", cause, tx.now) for site in sites]
        )


async def test_a_failed_release_is_cleared_once_on_some_sites_or_on_all(world: World) -> None:
    async with ready(world, [], ["1.0.0"]) as fleet:
        await failed(fleet, "oslo", "bern")
        clear = ClearFailedRelease(app=APP, version="1.0.0", sites=("oslo",))
        assert (await world.ask(clear, actor="ada")).result["failures"] == 1
        told = await world.until(FailedReleaseChanged, lambda event: event.failures == 1)
        assert ([each.site for each in told.sites], told.barred, told.cleared_by) == (["bern"], True, "ada")
        assert await codes(world, clear) == [("not_failed", "version")]
        assert isinstance(await world.ask(ClearFailedRelease(app=APP, version="1.0.0")), CommandAccepted)
        assert not (await world.until(FailedReleaseChanged, lambda event: event.failures == 0)).barred
        assert await codes(world, ClearFailedRelease(app=APP, version="9.0.0")) == [("unknown_release", "version")]
