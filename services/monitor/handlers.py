"""What the monitor does with each record: learn from it, pass it by, or bury it; never let an error out.

An exception that leaves a faust agent acknowledges the record all the same and loses it. So whatever goes wrong ends
here: in the dead letters, or in another try while Kafka is away.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from services.monitor.domain import Limits, StrategyWatch, deleted, moved, planned, progressed
from services.monitor.positions import Positions
from services.monitor.source import Source
from services.monitor.tables import Tables, put
from shared.core.errors import Unreadable, internal_fault
from shared.core.refusals import refused_for_good
from shared.core.retrying import back_offs, pause
from shared.messages import REGISTRY
from shared.messages.base import Fault, Message
from shared.messages.strategy import StageProgressed, StrategyDeleted, StrategyPlanned, StrategyStateChanged
from shared.process.health import Finding
from shared.process.settings import Settings
from shared.wire.codec import Headers, Record, as_dead_letter, decode, header
from shared.wire.topics import DEAD_LETTERS

log = structlog.get_logger()


class Stream:
    """Reads the strategies' events into the table of watches. Nothing in it waits, but the way to the dead letters."""

    def __init__(self, store: Tables, settings: Settings, limits: Limits, lost: Callable[[Finding], None]) -> None:
        """`lost` hears of a log that was lost."""
        self._store = store
        self._prefix = settings.topic_prefix
        self._limits = limits
        self.positions = Positions(store, Source(settings), lost)
        self.handled = 0

    async def read(self, events: Any) -> None:
        """The agent: every event of the stream, one after the other."""
        async for event in events.events():
            await self.take(event.message)

    async def take(self, record: Record) -> None:
        """One record, if it is the next one. Raises nothing."""
        if not self.positions.expects(record):
            return
        written = None
        try:
            written = self._learn(record)
        except Unreadable as error:
            await self._bury(record, error.faults)
        except Exception as error:
            log.exception("a record goes to the dead letters", action="dead_letter", topic=record.topic)
            await self._bury(record, (internal_fault(error),))
        self.handled += 1
        self.positions.handled(record, written)

    def _learn(self, record: Record) -> Awaitable[Any] | None:
        kind = header(record, "ce_type")
        if kind in REGISTRY and REGISTRY[kind].read_as() not in HANDLERS:
            return None  # not for us: its body is not parsed
        message: Any = decode(record).data
        key = message.strategy_id.encode()
        before = self._store.watches.get(key)
        watch = before or StrategyWatch(strategy_id=message.strategy_id, partition=record.partition)
        after = HANDLERS[type(message)](watch, message, self._limits)
        return None if after is before else put(self._store.watches, record.partition, key, after)

    async def _bury(self, record: Record, faults: tuple[Fault, ...]) -> None:
        """As the other services do it; until Kafka has it, or refuses it for good: it still lies where it came from."""
        topic = record.topic.removeprefix(self._prefix)
        headers = as_dead_letter(record, topic, faults)
        log.warning(
            "dead letter", action="dead_letter", topic=topic, code=faults[0].code, reason=faults[0].message[:300]
        )
        target = self._prefix + topic + DEAD_LETTERS
        # aiokafka sends no record that has neither key nor value.
        key = b"" if record.key is None and record.value is None else record.key
        for wait in back_offs():
            try:
                await send(self._store.app, target, key, record.value, headers)
                return
            except (KafkaError, ProducerSendError) as error:
                if why := refused_for_good(error.__cause__ or error):
                    where = {"topic": topic, "partition": record.partition, "offset": record.offset}
                    log.exception("a dead letter was refused for good", action="record_refused", why=why, **where)
                    return
                log.warning("a dead letter is sent again", action="dead_letter_retry", error=repr(error)[:200])
                await pause(wait)


async def send(app: Any, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
    """Publish and wait until Kafka has it. Raises KafkaError or ProducerSendError."""
    producer = await app.maybe_start_producer()
    await producer.send_and_wait(topic, key, value, None, None, headers)


Fold = Callable[[StrategyWatch, Any, Limits], StrategyWatch]
HANDLERS: dict[type[Message], Fold] = {
    StrategyPlanned: planned,
    StrategyStateChanged: moved,
    StageProgressed: progressed,
    StrategyDeleted: deleted,
}
