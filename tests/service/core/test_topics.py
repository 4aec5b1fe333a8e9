"""Topics that an older version made take records as large as they must; what their operator set stays."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTopicError

from shared.process import provision
from shared.wire.access import KafkaSettings, at
from shared.wire.topics import TOPICS, UNPACKED_BYTES, topics
from tests.support.patience import patience
from tests.support.world import PATIENCE

pytestmark = pytest.mark.service

OLD = "strategy.commands.dlq"


async def test_topics_that_were_there_are_widened_and_keep_their_other_settings(kafka: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        before = {"retention.ms": "4242", "cleanup.policy": "delete"}
        wide = {"max.message.bytes": "99000000", "retention.ms": "17"}
        await admin.create_topics(
            [
                NewTopic(topic_prefix + OLD, 1, 1, topic_configs=before),
                NewTopic(topic_prefix + "site.state", 1, 1, topic_configs=wide),
            ]
        )
        await _until_own(admin, topic_prefix + OLD, before)
        await _until_own(admin, topic_prefix + "site.state", wide)
        for _ in range(2):
            await provision.create_topics(at(kafka), topic_prefix)
            size = str(TOPICS[OLD].max_bytes)
            await _until_own(admin, topic_prefix + OLD, {**before, "max.message.bytes": size})
            await _until_own(admin, topic_prefix + "site.state", wide)
        await provision.create_topics(KafkaSettings(kafka=kafka, unpacked_max=2 * UNPACKED_BYTES), topic_prefix)
        wider = str(topics(2 * UNPACKED_BYTES)[OLD].max_bytes)
        await _until_own(admin, topic_prefix + OLD, {**before, "max.message.bytes": wider})
    finally:
        await admin.close()


async def test_a_topic_that_kafka_refuses_is_told(kafka: str) -> None:
    with pytest.raises(InvalidTopicError):
        await provision.create_topics(at(kafka), "no name of a topic ")


def test_a_topic_of_dead_letters_takes_what_its_source_takes_and_what_we_unpack_and_the_reason() -> None:
    for size in (2**20, UNPACKED_BYTES, 64 * 2**20):
        for name, topic in topics(size).items():
            if source := topics(size).get(name.removesuffix(".dlq")):
                assert name == source.name or topic.max_bytes >= max(source.max_bytes, size) + 100_000


async def _until_own(admin: AIOKafkaAdminClient, name: str, wanted: dict[str, str]) -> None:
    """A broker describes a change once it has heard of it from the controller, which answered before."""
    async with patience(PATIENCE):
        while (own := await _own(admin, name)) != wanted:
            assert len(own) <= len(wanted), own
            await asyncio.sleep(0.05)


async def _own(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {setting[0]: setting[1] for setting in answer.resources[0][4] if setting[3] == provision.OF_THE_TOPIC}
