"""A replica says that it is ready when it has its share of the work, be it none."""

import pytest

from tests.service.core.counter import wire
from tests.support.probe import until_ready
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"


async def test_of_two_replicas_that_share_one_partition_both_are_ready(world: World) -> None:
    async with world.run(NAME, wire, "1"), world.run(NAME, wire, "2"):
        await until_ready(world.home, NAME, "1", "2")
