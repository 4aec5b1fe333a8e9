"""The sweep: looks at every running stage once a second and says what is to be said.

What is said goes to Kafka before it counts as said: a crash in between says it again, under the same id.
"""

import time
import uuid
from datetime import UTC, datetime

import structlog

from services.monitor.domain import changed
from services.monitor.handlers import Stream, send
from services.monitor.judgement import Notice, Told, assess
from services.monitor.settings import MonitorSettings
from services.monitor.tables import SOURCE, Tables, drop, put
from shared.messages.base import Message
from shared.messages.monitor import StageForecast
from shared.process.health import Partition, Reading
from shared.process.settings import Settings
from shared.wire.codec import Envelope, encode, new_trace

log = structlog.get_logger()

_NOTICES = uuid.UUID("2f0f7f52-3b0e-5c58-9d8c-6a1f3f6f2f11")


class Sweep:
    """Judges the watches of the partitions that are ours."""

    def __init__(self, store: Tables, stream: Stream, settings: Settings, own: MonitorSettings) -> None:
        self._store = store
        self._stream = stream
        self._prefix = settings.topic_prefix
        self._source = f"/belay/monitor/{settings.instance}"
        self._limits = own.limits
        self._keep_seconds = own.keep_days * 24 * 3600
        self.said = 0

    @property
    def joined(self) -> bool:
        """Whether we have our share of the partitions, restored; with more replicas than partitions it may be none."""
        app = self._store.app
        works = app.started and not app.should_stop and not app.rebalancing
        return bool(works and app.tables.actives_ready)

    @property
    def partitions(self) -> set[int]:
        """The partitions of the source that are ours now; none while they are handed over or restored."""
        if not self.joined:
            return set()
        app = self._store.app
        return {tp.partition for tp in app.consumer.assignment() if tp.topic == self._prefix + SOURCE}

    def lag(self) -> dict[tuple[str, int], int]:
        """Records not yet handled, by (topic, partition), as far as Kafka has told."""
        return {place: reading.unread for place, reading in self.readings().items()}

    def readings(self) -> dict[Partition, Reading]:
        """How far our partitions were read."""
        read = self._stream.positions.read(self.partitions)
        return {(self._prefix + SOURCE, part): Reading(*each) for part, each in read.items()}

    async def once(self) -> None:
        """Look at every strategy of ours."""
        if self.partitions:
            await self._stream.positions.tend(self.partitions)
        ours = self.partitions  # a rebalance may have begun meanwhile
        lag = self._stream.positions.lag(ours)
        for key, watch in list(self._store.watches.items()):
            if watch is None or watch.partition not in ours:
                continue  # read by another replica by now
            if watch.ended_at is None:
                await self._look(key, read_all=lag.get(watch.partition) == 0)
            elif time.time() - watch.ended_at > self._keep_seconds:
                drop(self._store.watches, watch.partition, key)
                drop(self._store.told, watch.partition, key)

    async def _look(self, key: bytes, read_all: bool) -> None:
        """`read_all`: whether everything in the partition was handled; only then is silence a silence."""
        watch, told = self._store.watches[key], self._store.told.get(key) or Told()
        try:
            after, notices = assess(watch, told, self._limits, time.time(), read_all)
        except (ArithmeticError, ValueError):  # anybody's numbers: forgotten until its next event, it stops no other
            log.exception("a strategy cannot be judged", action="judge_broke", strategy=watch.strategy_id)
            drop(self._store.watches, watch.partition, key)
            return
        sequence = told.sequence
        for notice in notices:
            sequence = await self._number(key, watch.partition, told)
            await self._say(notice, sequence)
        if after != told:
            put(self._store.told, watch.partition, key, changed(after, sequence=sequence))

    async def _number(self, key: bytes, partition: int, told: Told) -> int:
        """The next number of a strategy's events: the place of a record in the changelog that all of us write.

        One counted up from what we know could be used twice, by whoever was frozen while it was about to say something
        and by whoever restored the table meanwhile.
        """
        kept = await put(self._store.told, partition, key, told)
        return int(kept.offset) + 1

    async def _say(self, notice: Notice, sequence: int) -> None:
        envelope: Envelope[Message] = Envelope(
            data=notice.message,
            id=str(uuid.uuid5(_NOTICES, notice.identity)),
            source=self._source,
            time=datetime.now(UTC),
            sequence=sequence,
            traceparent=new_trace(),
        )
        key, headers, body = encode(envelope)
        await send(self._store.app, self._prefix + notice.message.TOPIC, key, body, headers)
        self.said += 1
        if not isinstance(notice.message, StageForecast):
            facts = notice.message.model_dump(mode="json", exclude={"at"})
            log.warning("a stage needs eyes", action=type(notice.message).__name__, **facts)
