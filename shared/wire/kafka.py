"""The one place that connects to Kafka: clients that know how it is reached, begun and ended whole.

And one fault of aiokafka's under uvloop, mended.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from shared.wire.access import KafkaSettings
from shared.wire.fetching import fit_to_read

log = structlog.get_logger()

STOP_SECONDS = 10.0
"""A client that does not stop by then is left behind."""


def consumer(kafka: KafkaSettings, **options: Any) -> AIOKafkaConsumer:
    """A consumer that is not started yet. Raises OSError when the password or the authorities cannot be read."""
    return AIOKafkaConsumer(**access(kafka), **options)


def producer(kafka: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """A producer that is not started yet. Raises OSError likewise."""
    return AIOKafkaProducer(**access(kafka), **options)


def admin(kafka: KafkaSettings, **options: Any) -> AIOKafkaAdminClient:
    """An admin client that is not started yet. Raises OSError likewise."""
    return AIOKafkaAdminClient(**access(kafka), **options)


def access(kafka: KafkaSettings) -> dict[str, Any]:
    """What each of aiokafka's clients must be told to get in."""
    told: dict[str, Any] = {"bootstrap_servers": kafka.kafka, "security_protocol": kafka.kafka_security.upper()}
    if kafka.uses_tls:
        told["ssl_context"] = ssl.create_default_context(cafile=kafka.kafka_ca)
    if kafka.uses_sasl:
        told["sasl_mechanism"] = kafka.kafka_mechanism
        told["sasl_plain_username"], told["sasl_plain_password"] = kafka.kafka_user, password(kafka)
    return told


def password(kafka: KafkaSettings) -> str:
    """That of the user, without the line end that editors leave. Raises OSError."""
    return kafka.kafka_password_file.read_text().rstrip("\r\n") if kafka.kafka_password_file else ""


async def start_whole(client: Any) -> None:
    """Start a client. Cancelled in the middle of its start it would leave a connection open behind it."""
    task = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


@asynccontextmanager
async def reader(settings: KafkaSettings, client_id: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no group, for a question or a look; it reads whatever lies there. Raises KafkaError."""
    kafka = consumer(
        settings,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        check_crcs=False,  # it is done where records are made fit to be read
    )
    fit_to_read(kafka, settings.unpacked_max, careful=True)
    try:
        await kafka.start()
        await asyncio.sleep(0)  # aiokafka raises CancelledError when stopped before its own task has begun
        yield kafka
    finally:
        await kafka.stop()


async def stop_whole(client: Any) -> None:
    """Stop a client. One whose tasks broke may never stop, and who waits for it would stand still without a word."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await client.stop()
    except TimeoutError:
        log.warning("a client of Kafka does not stop", action="client_left_behind", client=type(client).__name__)


_send = AIOKafkaConnection.send


def _send_or_be_closed(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    """uvloop raises RuntimeError for a connection that was closed a moment ago, where asyncio raises nothing."""
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # NotImplementedError is one: the broker does not know a request
            raise
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def mend_connections() -> None:
    """Have a closed connection called by a name that aiokafka knows.

    Over the other its tasks end (who looks for the coordinator, who asks for metadata), and a consumer stands still for
    ever: seen in the fault campaign, when Kafka was killed.
    """
    AIOKafkaConnection.send = _send_or_be_closed
