"""What tests of audits on real things share: looks that come soon, and what came of them."""

import asyncio
from collections import defaultdict
from datetime import datetime
from typing import Any

from services.deployer.automatic.survey_store import look_soon
from shared.messages.base import CommandAccepted
from shared.messages.deployer import (
    AutomaticRequested,
    DriftEnded,
    DriftFound,
    OperationSucceeded,
    SetAppBehaviour,
)
from tests.service.deployer.fleet import Fleet
from tests.support.patience import patience
from tests.support.world import World

QUICK = {"audit_seconds": 0.5, "recovery_seconds": 60, "stop_seconds": 20}
ENVIRONMENT = {"BELAY_DEPLOYER_AUTOMATIC_PAUSE_SECONDS": "0.2", "BELAY_DEPLOYER_AUTOMATIC_AGAIN_SECONDS": "0.1"}


async def behave(world: World, **switches: Any) -> None:
    """What is done by itself with the app."""
    answer = await world.ask(SetAppBehaviour.model_validate({"app": "shop", "switches": switches}))
    assert isinstance(answer, CommandAccepted), answer


async def put_right(fleet: Fleet, nth: int) -> str:
    """The nth repair has ended; what was told of the drift."""
    world = fleet.world
    await world.until(AutomaticRequested, lambda _: len(world.events(AutomaticRequested)) == nth)
    asked = world.events(AutomaticRequested)[-1]
    assert (asked.kind, asked.cause.code) == ("recover", "drift_found")
    assert isinstance(await fleet.end(asked.operation_id), OperationSucceeded)
    await world.until(DriftEnded, lambda _: len(world.events(DriftEnded)) == nth)
    [component] = world.events(DriftFound)[-1].sites[0].components
    return component.message


async def looked_at(fleet: Fleet, times: int) -> None:
    """Until every bucket of sites was looked at so often; the first time may have begun before."""
    ended: dict[int, set[datetime]] = defaultdict(set)
    async with fleet.service.pool.acquire() as conn, patience(60):
        await look_soon(conn)
        while not ended or min(map(len, ended.values())) < times + 1:
            for bucket, due in await conn.fetch("select bucket, due_at from audit_bucket"):
                ended[bucket].add(due)
            await asyncio.sleep(0.05)
