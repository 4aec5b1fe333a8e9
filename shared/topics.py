"""Every topic: how many partitions, how long it keeps its records. Messages name their topic (messages/base.py).

Commands to the orchestrator and all small control topics have one partition, so that their order is total:
a site registered before a strategy is created is there when the strategy is planned.
"""

from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000
DEAD_LETTERS = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created. `days` is the retention; a compacted topic keeps the last record of each key."""

    name: str
    partitions: int
    days: int = 7
    compacted: bool = False

    @property
    def config(self) -> dict[str, str]:
        """Kafka's own settings for the topic."""
        if self.compacted:
            return {"cleanup.policy": "compact", "min.compaction.lag.ms": "60000"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.days * DAY_MS)}


_LIVE = (
    Topic("catalog.commands", 1),
    Topic("catalog.events", 1, days=30),
    Topic("deployer.commands", 6),
    Topic("deployer.events", 6, days=14),
    Topic("deployer.facts", 1, compacted=True),
    Topic("strategy.commands", 1),
    Topic("strategy.events", 3, days=30),
    Topic("site.state", 6, compacted=True),
    Topic("notifier.commands", 1),
    Topic("notifier.events", 1),
    Topic("monitor.events", 1, days=3),
)

TOPICS: dict[str, Topic] = {topic.name: topic for topic in _LIVE} | {
    topic.name + DEAD_LETTERS: Topic(topic.name + DEAD_LETTERS, 1, days=30) for topic in _LIVE
}
