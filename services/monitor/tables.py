"""The faust application: one source topic, two tables with changelogs. Its settings keep to what faust does safely.

One agent at a time, at-least-once, no `noack`, no web server, no leader, no topic made by itself: anything else loses
or doubles messages in the pinned version.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import faust
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from faust.serializers.codecs import Codec
from pydantic import ValidationError

from services.monitor.domain import Kept, Position, StrategyWatch
from services.monitor.judgement import Told
from services.monitor.transport import Transport
from shared.process.settings import Settings
from shared.wire.kafka import access, admin
from shared.wire.topics import DEAD_LETTERS, UNPACKED_BYTES, topics

log = structlog.get_logger()

SOURCE = "strategy.events"
TABLES: dict[str, type[Kept]] = {"watches-v1": StrategyWatch, "told-v1": Told, "positions-v1": Position}
"""The version in a name changes with the meaning of what is kept; then the new table begins empty."""


class WrongPartitions(Exception):
    """A changelog does not have as many partitions as the source: a replica would restore the wrong part of it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What the monitor knows and what it said, by strategy id. Each table has one writer."""

    app: Any
    source: Any
    watches: Any
    """Table of StrategyWatch by the bytes of the strategy id."""
    told: Any
    """Table of Told, likewise."""
    positions: Any
    """Table of Position by the digits of the partition."""


class KeptCodec(Codec):
    """Values of a table as JSON. One that cannot be read counts as absent: its next event makes it anew."""

    def __init__(self, model: type[Kept]) -> None:
        super().__init__()
        self._model = model

    def _dumps(self, value: Kept) -> bytes:
        return value.model_dump_json().encode()

    def _loads(self, text: bytes) -> Kept | None:
        try:
            return self._model.model_validate_json(text)
        except ValidationError as error:
            log.warning("a changelog record is unreadable", action="changelog_unreadable", error=str(error)[:200])
            return None


class FaustApplication(faust.App):
    """faust's application with a transport that outlives a rebalance, and whatever a record is."""

    unpacked_max = UNPACKED_BYTES
    """Most bytes of a batch of records once unpacked."""
    careful = False
    """Whether to look into each record before faust does."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)


def application_id(settings: Settings) -> str:
    """Also the name of the consumer group and the beginning of the changelogs' names."""
    return f"{settings.topic_prefix}monitor"


def client_id(instance: str) -> str:
    """How a replica calls itself in its consumer group."""
    return f"monitor-{instance}"


def open_store(settings: Settings, *, careful: bool = False) -> Tables:
    """The application with its tables, not yet started. `careful`: look into each record before faust does."""
    session = settings.session_timeout_ms / 1000
    app = FaustApplication(
        application_id(settings),
        broker=[f"kafka://{address.strip()}" for address in settings.kafka.split(",")],
        broker_credentials=_credentials(settings),
        store="memory://",
        datadir=str(settings.home / "run" / f"monitor-{settings.instance}"),
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        stream_buffer_maxsize=1024,
        stream_recovery_delay=0.0,
        broker_client_id=client_id(settings.instance),
        broker_max_poll_records=500,
        broker_commit_interval=1.0,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 10,
        broker_request_timeout=max(90.0, session),
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_request_size=topics(settings.unpacked_max)[SOURCE + DEAD_LETTERS].max_bytes,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=30_000,  # as in the other services: a topic that was made anew is soon found
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.unpacked_max, app.careful = settings.unpacked_max, careful
    source = app.topic(
        settings.topic_prefix + SOURCE,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
    )
    return Tables(app, source, *(_table(app, name, model) for name, model in TABLES.items()))


def _credentials(settings: Settings) -> Any:
    """How faust gets in, in its own words; None where nobody is asked."""
    told = access(settings)
    if settings.uses_sasl:
        return faust.SASLCredentials(
            username=told["sasl_plain_username"],
            password=told["sasl_plain_password"],
            mechanism=told["sasl_mechanism"],
            ssl_context=told.get("ssl_context"),
        )
    return faust.SSLCredentials(context=told["ssl_context"]) if settings.uses_tls else None


def changelog_of(application: str, table: str) -> str:
    """The topic that a table is restored from."""
    return f"{application}-{table}-changelog"


def _table(app: Any, name: str, model: type[Kept]) -> Any:
    codec = KeptCodec(model)
    changelog = app.topic(
        changelog_of(app.conf.id, name),
        key_type=bytes,
        key_serializer="raw",
        value_serializer=codec,
        compacting=True,
        acks=False,  # restored from the beginning each time: nothing to commit
        internal=True,
        allow_empty=True,
        maxsize=131_072,
    )
    table = app.Table(name, key_type=bytes, changelog_topic=changelog)
    table.value_serializer = codec
    return table


def put(table: Any, partition: int, key: bytes, value: Kept) -> Awaitable[Any]:
    """Set a value, in or outside of the stream; what is returned may be awaited until the changelog has it.

    The changelog's partition is that of the strategy's own events.

    faust's `table[key] = value` finds the partition only inside of a stream; its other way, `use_partitioner`, breaks
    on the first key because the producer does not know the changelog yet.
    """
    table.data[key] = value
    sent: Awaitable[Any] = table.send_changelog(partition, key, value)
    return sent


def drop(table: Any, partition: int, key: bytes) -> None:
    """Forget a key, if it is there."""
    if table.data.pop(key, None) is not None:
        table.send_changelog(partition, key, None, value_serializer="raw")


async def create_changelogs(settings: Settings) -> None:
    """Make the changelogs that are not there, with the partitions of the source.

    Raises WrongPartitions when one has another number of them, KafkaError when Kafka or the source is not there.
    """
    client = admin(settings)
    try:
        await client.start()
        source = settings.topic_prefix + SOURCE
        wanted = [changelog_of(application_id(settings), name) for name in TABLES]
        partitions = (await _partitions(client, [source]))[source]
        there = set(await client.list_topics())
        replicas = min(3, len((await client.describe_cluster())["brokers"]))
        config = {"cleanup.policy": "compact"}
        missing = [NewTopic(name, partitions, replicas, topic_configs=config) for name in wanted if name not in there]
        if missing:
            await client.create_topics(missing)
        _check(await _partitions(client, wanted), partitions)
    finally:
        await client.close()


async def _partitions(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    described = await admin.describe_topics(topics)
    for topic in described:
        if topic["error_code"]:
            raise for_code(topic["error_code"])(f"topic {topic['topic']}")
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


def _check(found: dict[str, int], partitions: int) -> None:
    for name, count in found.items():
        if count != partitions:
            message = f"{name} has {count} partitions, but {SOURCE} has {partitions}; delete {name}, it will be rebuilt"
            raise WrongPartitions(message)
