"""Every topic: how many partitions, how long it keeps its records. Messages name their topic (messages/base.py).

Commands to the orchestrator and all small control topics have one partition, so that their order is total:
a site registered before a strategy is created is there when the strategy is planned.
"""

from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000
DEAD_LETTERS = ".dlq"

RECORD_BYTES = 1_048_588
"""The most that a topic takes in one batch of records, as Kafka counts it; its own default (message.max.bytes)."""

SPEC_BYTES = 12 * 2**20
"""Of the orchestrator's commands: a roll-out may name 100,000 sites of 100 characters each."""

UNPACKED_BYTES = 16 * 2**20
"""Of a batch of records once it is unpacked: the default of BELAY_UNPACKED_MAX."""

ENVELOPE_BYTES = 48_588
"""Kept free of a topic's limit for all that is not the body: key, headers, and what Kafka adds."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created. `days` is the retention; a compacted topic keeps the last record of each key.

    `max_bytes` is the largest batch that it takes, so also the largest record.
    """

    name: str
    partitions: int
    days: int = 7
    compacted: bool = False
    max_bytes: int = RECORD_BYTES

    @property
    def max_body(self) -> int:
        """Bytes that the body of a message on this topic may have, whatever its headers are."""
        return self.max_bytes - ENVELOPE_BYTES

    @property
    def config(self) -> dict[str, str]:
        """Kafka's own settings for the topic."""
        size = {"max.message.bytes": str(self.max_bytes)}
        if self.compacted:
            return {"cleanup.policy": "compact", "min.compaction.lag.ms": "60000", **size}
        return {"cleanup.policy": "delete", "retention.ms": str(self.days * DAY_MS), **size}


_LIVE = (
    Topic("catalog.commands", 1),
    Topic("catalog.events", 1, days=30),
    Topic("deployer.commands", 6),
    Topic("deployer.events", 6, days=14),
    Topic("deployer.facts", 1, compacted=True),
    Topic("strategy.commands", 1, max_bytes=SPEC_BYTES),
    Topic("strategy.events", 3, days=30),
    Topic("site.state", 6, compacted=True),
    Topic("notifier.commands", 1),
    Topic("notifier.events", 1),
    Topic("monitor.events", 1, days=3),
)

LIVE: dict[str, Topic] = {topic.name: topic for topic in _LIVE}

COMMAND_DAYS = max(topic.days for topic in _LIVE if topic.name.endswith(".commands"))
"""So long a command may be read once more."""


EVENT_DAYS = max(topic.days for topic in _LIVE if topic.name.endswith(".events"))
"""So long an event may be read once more."""


def topics(unpacked_max: int = UNPACKED_BYTES) -> dict[str, Topic]:
    """Every topic by its name. One of dead letters takes whatever we unpack, and why it is there beside it."""
    letters = (
        Topic(topic.name + DEAD_LETTERS, 1, days=30, max_bytes=max(unpacked_max, topic.max_bytes) + RECORD_BYTES)
        for topic in _LIVE
    )
    return LIVE | {letter.name: letter for letter in letters}


TOPICS = topics()
