"""What Kafka took without saying so is told again as it was, not under another id."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError

from services.monitor.tables import Tables
from services.monitor.troubles import Troubles
from services.monitor.watchman import Watchman
from shared.messages.monitor import TroubleFound, TroubleOver
from shared.process.health import Finding
from shared.process.settings import Settings
from shared.wire.codec import Headers
from tests.support.neighbour import neighbour
from tests.support.patience import patience

STALLED = Finding(code="outbox_stalled", message="the oldest record waits")


class Forgetful:
    """A Kafka that takes every record, and whose first answer to each kind is lost on the way."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.came = asyncio.Condition()

    async def maybe_start_producer(self) -> "Forgetful":
        return self

    async def send_and_wait(self, _: str, __: Any, body: bytes, ___: Any, ____: Any, headers: Headers) -> None:
        told = {name: value.decode() for name, value in headers}
        again = any(before["ce_type"] == told["ce_type"] for before, _ in self.taken)
        self.taken.append((told, body))
        async with self.came:
            self.came.notify_all()
        if not again:
            raise KafkaConnectionError("the answer was lost")

    async def until(self, count: int) -> None:
        async with patience(20), self.came:
            await self.came.wait_for(lambda: len(self.taken) >= count)


@pytest.mark.parametrize("comes_back", [False, True], ids=["stays away", "comes back"])
async def test_a_change_whose_confirmation_is_lost_is_told_again_under_its_own_id(
    tmp_path: Path, comes_back: bool
) -> None:
    kafka, findings = Forgetful(), [STALLED]
    settings = Settings(home=tmp_path, instance="1", look_seconds=0.01)
    tables = cast("Tables", SimpleNamespace(app=kafka))
    async with neighbour(tmp_path, findings):
        watching = asyncio.create_task(Watchman(settings, tables, Troubles(), lambda: True).run())
        try:
            await kafka.until(2)
            findings.clear()
            await kafka.until(3)
            findings.extend([STALLED] if comes_back else [])
            await kafka.until(5 if comes_back else 4)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
    found, over = kafka.taken[:2], kafka.taken[2:4]
    assert found[0] == found[1]
    assert over[0] == over[1]
    assert [told["ce_type"] for told, _ in (found[0], over[0])] == [TroubleFound.TYPE, TroubleOver.TYPE]
    assert found[0][0]["ce_subject"] == over[0][0]["ce_subject"]
    if comes_back:
        assert kafka.taken[4][0]["ce_type"] == TroubleFound.TYPE
        assert kafka.taken[4][0]["ce_subject"] != over[0][0]["ce_subject"]
