"""The page of the system: what is wrong with each replica, said by itself or, where it is dead, by its file."""

import pytest

from shared.process.health import KINDS, Finding
from shared.process.runs import Runs
from tests.service.gateway.api import gateway
from tests.support.neighbour import neighbour
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_what_a_replica_says_of_itself_is_shown_with_what_to_do(world: World) -> None:
    finding = Finding(code="outbox_stalled", message="the oldest record waits; last failure: KafkaConnectionError")
    async with neighbour(world.home, [finding]), gateway(world) as api:
        catalog, ours = (await api.get("/v1/system"))["items"]
        assert (catalog["service"], catalog["ready"]) == ("catalog", True)
        (told,) = catalog["findings"]
        assert told["message"] == finding.message
        assert told["advice"] == KINDS["outbox_stalled"].advice
        assert (ours["service"], ours["findings"]) == ("gateway", [])


async def test_a_replica_that_dies_again_and_again_is_told_of_by_its_file_even_before_it_ever_answered(
    world: World,
) -> None:
    for _ in range(3):
        runs = Runs(world.home, "notifier", "1")
        runs.begin()
        runs.end("MemoryError: no more (store.py:7)")
    async with gateway(world) as api:
        _, dead = (await api.get("/v1/system"))["items"]
        assert (dead["service"], dead["ready"]) == ("notifier", False)
        assert dead["error"] == "it has not come so far as to answer; its last end: MemoryError: no more (store.py:7)"
        (told,) = dead["findings"]
        assert told["code"] == "restarts"
        assert told["message"].endswith("each time: MemoryError: no more (store.py:7)")
