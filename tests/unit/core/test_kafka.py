"""aiokafka's clients: a closed connection has a name that they know, and who does not stop is left behind."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.wire import kafka
from shared.wire.topic_ids import topic_ids


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AIOKafkaConnection, "send", AIOKafkaConnection.send)  # put back afterwards
    kafka.mend_connections()


async def write_to_what_was_closed() -> None:
    """As a task does that was about to ask when the broker was killed."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection = AIOKafkaConnection(host, port)
    connection._closed_fut = asyncio.get_running_loop().create_future()
    connection._reader, connection._writer = await asyncio.open_connection(host, port)
    connection._read_task = asyncio.ensure_future(asyncio.sleep(0))
    connection._versions = {MetadataRequest.API_KEY: (0, 5)}
    connection._writer.transport.abort()
    await asyncio.sleep(0.05)
    server.close()
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection._writer = None  # it is closed; what it would warn of as left open is this test's own


def test_uvloop_says_of_a_closed_connection_what_aiokafka_does_not_know() -> None:
    with pytest.raises(RuntimeError, match="closed"):  # once it does not, shared/wire/kafka.py is not needed any more
        uvloop.run(write_to_what_was_closed())


def test_a_closed_connection_is_a_broken_one_for_aiokafka(mended: None) -> None:
    with pytest.raises(KafkaConnectionError, match="closed"):
        uvloop.run(write_to_what_was_closed())


async def test_a_request_that_the_broker_does_not_know_is_no_broken_connection(mended: None) -> None:
    connection = AIOKafkaConnection("127.0.0.1", 9)
    connection._writer, connection._versions = object(), {MetadataRequest.API_KEY: (0, 5)}

    class Client:
        def get_random_node(self) -> int:
            return 1

        async def send(self, _node: int, request: object) -> object:
            return await connection.send(request)

    assert await topic_ids(Client(), ["t"]) == {}
    assert connection._writer is not None
    connection._writer = None


async def test_a_client_that_never_stops_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        async def stop(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(kafka, "STOP_SECONDS", 0.05)
    async with asyncio.timeout(5):
        await kafka.stop_whole(Broken())
