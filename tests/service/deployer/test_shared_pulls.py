"""One pull of an image on an engine at a time, over replicas: whoever comes second waits for the first to end."""

import asyncio
import time

import pytest

from services.deployer.drivers.pulls.sharing import SharedPulls
from tests.support.patience import patience

pytestmark = pytest.mark.service

STEPS = 25
"""Of the event loop, until a lock is asked for and granted, by far."""


async def held(pulls: SharedPulls, image: str) -> None:
    async with pulls.alone(image):
        pass


async def test_a_replica_waits_for_another_at_the_same_image_alone_and_goes_on_when_that_is_killed(
    deployer_database: str,
) -> None:
    one, other = SharedPulls(deployer_database), SharedPulls(deployer_database)
    async with patience(60), one.alone("image"):
        waits = asyncio.create_task(held(other, "image"))
        await held(other, "another")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waits), 1.5)
        assert one._conn is not None
        one._conn.terminate()  # as PostgreSQL ends it for one that is killed
        await waits
    async with patience(60), one.alone("image"):
        assert one._conn is not None


async def test_a_lock_that_was_granted_to_one_who_was_cancelled_before_the_answer_is_kept_by_nobody(
    deployer_database: str,
) -> None:
    one, other = SharedPulls(deployer_database), SharedPulls(deployer_database)
    async with patience(90), one.alone("of another pull"), other.alone("another of a replica"):
        for steps in range(STEPS):
            await cancelled_after(steps, one, f"image {steps}")
            await asyncio.wait_for(held(other, f"image {steps}"), 10)


async def cancelled_after(steps: int, pulls: SharedPulls, image: str) -> None:
    """The loop stands still behind each step: what was asked is done by then, and its answer not yet read."""
    pull = asyncio.create_task(held(pulls, image))
    for _ in range(steps):
        await asyncio.sleep(0)
        stand_still()
    pull.cancel()
    await asyncio.gather(pull, return_exceptions=True)


def stand_still() -> None:
    time.sleep(0.01)
