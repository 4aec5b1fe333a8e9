"""A replica says that it is ready when it has its share of the work, be it none."""

import pytest

from shared.core.errors import SessionTimeoutRefused
from shared.process.service import build
from tests.service.core.counter import wire
from tests.support.probe import until_ready
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"


async def test_of_two_replicas_that_share_one_partition_both_are_ready(world: World) -> None:
    async with world.run(NAME, wire, "1"), world.run(NAME, wire, "2"):
        await until_ready(world.home, NAME, "1", "2")


async def test_a_session_timeout_that_kafka_refuses_ends_the_service_with_a_sentence(world: World) -> None:
    service = await build(NAME, wire, world.settings(NAME, session_timeout_ms=10_000_000))
    try:
        with pytest.raises(ExceptionGroup) as broken:
            await service.run()
    finally:
        service.pool.terminate()
    (why,) = broken.value.exceptions
    assert isinstance(why, SessionTimeoutRefused)
    assert "BELAY_SESSION_TIMEOUT_MS=10000000" in str(why)
