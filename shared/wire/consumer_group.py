"""Who is in our consumer group, as Kafka says."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code

from shared.process.health import Member
from shared.wire.access import KafkaSettings
from shared.wire.kafka import admin


class Group:
    """Describes one consumer group again and again over a connection of its own."""

    def __init__(self, kafka: KafkaSettings, name: str) -> None:
        self._kafka = kafka
        self.name = name
        self._admin: AIOKafkaAdminClient | None = None

    async def __aenter__(self) -> "Group":
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._close()

    async def members(self) -> list[Member]:
        """Its members, none when nobody is in it. Raises KafkaError; then the next call connects anew."""
        try:
            if self._admin is None:
                self._admin = admin(self._kafka, request_timeout_ms=5_000)
                await self._admin.start()
            (answer,) = await self._admin.describe_consumer_groups([self.name])
            return list(_members(answer))
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()


def _members(answer: Any) -> Iterator[Member]:
    for code, _group, _state, protocol, _assignor, members, *_ignored in answer.groups:
        if code:
            raise for_code(code)
        for identifier, client, host, _metadata, assignment, *_more in members:
            owned = _partitions(assignment) if protocol == "consumer" else frozenset()
            yield Member(identifier, client, host.lstrip("/"), owned)


def _partitions(assignment: bytes) -> frozenset[tuple[str, int]]:
    """None while the group shares them out, or where a foreign assignor wrote something of its own."""
    if not assignment:
        return frozenset()
    try:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    except Exception:  # noqa: BLE001 - bytes of a foreign client; who it is matters more than what it says
        return frozenset()
    return frozenset((tp.topic, tp.partition) for tp in decoded.partitions())
