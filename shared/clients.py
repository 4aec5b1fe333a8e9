"""aiokafka's clients begun and ended whole, and one fault of theirs under uvloop mended."""

import asyncio
from typing import Any

import structlog
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

log = structlog.get_logger()

STOP_SECONDS = 10.0
"""A client that does not stop by then is left behind."""


async def start_whole(client: Any) -> None:
    """Start a client. Cancelled in the middle of its start it would leave a connection open behind it."""
    task = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


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
