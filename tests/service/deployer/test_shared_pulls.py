"""One pull of an image on an engine at a time, over replicas: whoever comes second waits for the first to end."""

import asyncio

import pytest

from services.deployer.drivers.pulls.sharing import SharedPulls
from tests.support.patience import patience

pytestmark = pytest.mark.service


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
