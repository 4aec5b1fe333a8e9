"""faust's Kafka transport, made to outlive a rebalance.

faust runs its consumer in a thread of its own, and the pinned version breaks that rule itself: it seeks from the main
thread while the consumer's thread hands out records of the same dictionary (`KeyError` of a partition), asks for the
end of a partition that was taken away a moment ago (`AssertionError`, `AttributeError`), and ends the application over
a commit that came too late. Each of these ended the process at a rebalance under load.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka
from faust.types import TP

from shared.wire.fetching import fit_to_read

log = structlog.get_logger()


class Thread(aiokafka.AIOKafkaConsumerThread):
    """The consumer's own thread."""

    def _create_worker_consumer(self, transport: aiokafka.Transport) -> AIOKafkaConsumer:
        """What it fetches is made fit to be read, as in the other services."""
        kafka, app = super()._create_worker_consumer(transport), cast("Any", self.app)
        fit_to_read(kafka, app.unpacked_max, careful=app.careful)
        return kafka

    def highwater(self, tp: TP) -> int | None:  # type: ignore[override]  # faust itself passes None on
        """Where the partition ends, as far as Kafka has told; None also when it was taken away a moment ago."""
        try:
            end: int | None = super().highwater(tp)
        except (AssertionError, AttributeError):  # aiokafka looks twice, and the thread goes on in between
            return None
        return end

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Tell Kafka how far we are, for its lag tools; nothing depends on it (positions.py), so nothing may break."""
        try:
            mine = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
            await self._ensure_consumer().commit(
                {aiokafka.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "") for tp, offset in mine.items()}
            )
        except KafkaError as error:
            log.info("a commit came too late", action="commit_missed", error=repr(error)[:200])
            return False
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """faust's own look for hanging consumers breaks on a partition that was taken away; watchdog.py looks."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """The same while tables are restored."""


class Consumer(aiokafka.Consumer):
    """The consumer as the rest of faust sees it, in the main thread."""

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def _seek(self, partition: TP, offset: int) -> None:
        """In the consumer's thread: from ours, records vanish under the hands of whoever fetches there."""
        await self._thread.call_thread(self._thread.seek, partition, offset)  # type: ignore[arg-type]  # it may be any


class Transport(aiokafka.Transport):
    """What `tables.py` gives to its application."""

    Consumer: ClassVar[Any] = Consumer
