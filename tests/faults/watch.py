"""Follows every topic while a round runs: answers, ends, and what can be sent once more."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.wire.topics import DEAD_LETTERS, TOPICS

PREFIX = "belay."
KEPT = 3_000
"""Past records of a topic that may come again."""

OVER = ("complete", "failed")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Watch:
    """What was heard so far. `wait` returns as soon as something holds."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._news = asyncio.Condition()
        self.past: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.answers: dict[str, dict[str, Any]] = {}
        self.states: dict[str, tuple[int, str]] = {}
        """Strategy -> sequence and state of its latest event."""
        self.releases: set[tuple[str, str]] = set()
        self.wrong_clocks: set[str] = set()
        """Sources whose times are not to be believed."""
        self.failed: dict[str, set[str]] = defaultdict(set)
        """By strategy, the sites that failed or were aborted, and do not wait again."""
        self.ends: dict[str, dict[str, Any]] = {}
        """By operation, how it ended."""
        self.runs: dict[tuple[str, str], tuple[int, str | None]] = {}
        """By site and app, the number of its last end and the release that runs there."""
        self.settled: dict[str, dict[str, Any]] = {}
        """By publication, what became of it."""
        self.site_runs: dict[str, dict[str, Any]] = {}
        """By run over the apps of a site, its report."""
        self.barred: dict[tuple[str, str], tuple[int, bool]] = {}
        """By app and version, the number of the last word on its failures, and whether it is barred."""
        self.finished_steps = 0
        self.worked_at = LONG_AGO
        """The latest moment after which a whole step was worked through: ended by the deployer, counted after."""
        self._ended: dict[str, datetime] = {}
        self._broke: Exception | None = None

    async def run(self) -> None:
        """Read until cancelled, from the beginning. What breaks here is raised by all who wait."""
        try:
            await self._follow()
        except Exception as error:  # noqa: BLE001 - whatever it is, `wait` raises it
            self._broke = error
            async with self._news:
                self._news.notify_all()

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, auto_offset_reset="earliest", fetch_max_wait_ms=50)
        await consumer.start()
        parts = [TopicPartition(PREFIX + t.name, p) for t in TOPICS.values() for p in range(t.partitions)]
        consumer.assign(parts)
        try:
            while True:
                await self._read(consumer)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        try:
            polled = await consumer.getmany(timeout_ms=200, max_records=2_000)
        except KafkaError:
            await asyncio.sleep(0.2)  # the broker is down just now
            return
        async with self._news:
            for partition, records in polled.items():
                topic = partition.topic.removeprefix(PREFIX)
                if not topic.endswith(DEAD_LETTERS):
                    self.past[topic].extend(records)
                    for record in records:
                        self._take(record)
            self._news.notify_all()

    def _take(self, record: Any) -> None:
        headers = {name: value for name, value in record.headers if name.startswith("ce_")}
        take = TAKES.get((headers.get("ce_type") or b"").removeprefix(b"belay.").rpartition(b".v")[0])
        if take is None or "ce_source" not in headers:
            return
        try:
            take(self, headers, orjson.loads(record.value))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # one of our own hostile records

    # -- what each type tells --------------------------------------------------------------------------------------

    def answered(self, _headers: dict[str, bytes], body: dict[str, Any]) -> None:
        self.answers.setdefault(body["command_id"], body)

    def moved(self, headers: dict[str, bytes], body: dict[str, Any]) -> None:
        sequence = int(headers["ce_sequence"])
        if sequence > self.states.get(body["strategy_id"], (0, ""))[0]:
            self.states[body["strategy_id"]] = (sequence, body["state"])

    def published(self, _headers: dict[str, bytes], body: dict[str, Any]) -> None:
        self.releases.add((body["app"], body["version"]))

    def settles(self, _headers: dict[str, bytes], body: dict[str, Any]) -> None:
        self.settled.setdefault(body["publication"], body)

    def site_run(self, _headers: dict[str, bytes], body: dict[str, Any]) -> None:
        if body["finished_at"]:
            self.site_runs.setdefault(body["run_id"], body)

    def release_failed(self, _headers: dict[str, bytes], body: dict[str, Any]) -> None:
        release = body["app"], body["version"]
        self.barred[release] = max(self.barred.get(release, (0, False)), (int(body["nth"]), bool(body["barred"])))

    def ended(self, headers: dict[str, bytes], body: dict[str, Any]) -> None:
        place = body["site"], body["app"]
        self.ends.setdefault(body["operation_id"], body)
        self.runs[place] = max(self.runs.get(place, (0, None)), (int(body["nth"]), body["version"]), key=_number)
        if headers["ce_source"].decode() not in self.wrong_clocks:
            self._ended.setdefault(body["operation_id"], _time(headers))

    def ended_together(self, headers: dict[str, bytes], body: dict[str, Any]) -> None:
        shared = {name: value for name, value in body.items() if name != "operations"}
        for one in body["operations"]:
            self.ended(headers, {**shared, **one})

    def stepped(self, headers: dict[str, bytes], body: dict[str, Any]) -> None:
        for step in body["steps"]:
            failed = self.failed[body["strategy_id"]]
            (failed.add if step["state"] in ("failed", "aborted") else failed.discard)(step["site"])
        over = [step["operation_id"] for step in body["steps"] if step["state"] in OVER]
        self.finished_steps += len(over)
        if over and headers["ce_source"].decode() not in self.wrong_clocks:
            began = max((self._ended.get(operation, LONG_AGO) for operation in over), default=LONG_AGO)
            self.worked_at = max(self.worked_at, min(began, _time(headers)))

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def wait(self, look: Callable[[], T | None], seconds: float) -> T:
        """What `look` finds, as soon as it is neither None nor False. Raises TimeoutError."""
        found: list[T] = []

        def holds() -> bool:
            if self._broke:
                raise RuntimeError("what follows the topics broke") from self._broke
            found[:] = [value] if (value := look()) else []
            return bool(found)

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(holds)
        return found[0]

    async def works_again(self, since: datetime, seconds: float) -> bool:
        """Until a step was worked through from end to end after `since`; False if none was in that time."""
        try:
            return await self.wait(lambda: self.worked_at > since, seconds)
        except TimeoutError:
            return False


def _number(of: tuple[int, str | None]) -> int:
    return of[0]


def _time(headers: dict[str, bytes]) -> datetime:
    return datetime.fromisoformat(headers["ce_time"].decode())


Take = Callable[[Watch, dict[str, bytes], dict[str, Any]], None]
TAKES: dict[bytes, Take] = {
    **{f"{owner}.command_{word}".encode(): Watch.answered
       for owner in ("catalog", "deployer", "strategy", "notifier") for word in ("accepted", "rejected")},
    b"strategy.strategy_state_changed": Watch.moved,
    b"strategy.steps_changed": Watch.stepped,
    b"deployer.operation_succeeded": Watch.ended,
    b"deployer.operations_succeeded": Watch.ended_together,
    b"deployer.operation_failed": Watch.ended,
    b"catalog.release_available": Watch.published,
    b"catalog.publication_settled": Watch.settles,
    b"deployer.site_run_changed": Watch.site_run,
    b"deployer.failed_release_changed": Watch.release_failed,
}  # fmt: skip
