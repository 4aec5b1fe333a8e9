"""What is wrong with the monitor itself: it has no ledger, and keeps in memory and in files what others keep there."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from aiokafka.errors import KafkaError

from services.monitor.tables import application_id, client_id
from shared.core.errors import is_transient
from shared.process.health import (
    TOLD_FOR,
    End,
    Finding,
    Lasting,
    Member,
    Partition,
    Reading,
    partitions_stalled,
    repeated,
    restarts,
    strangers,
    unknown,
)
from shared.process.runs import ends_in, path_of
from shared.process.settings import Settings
from shared.wire.consumer_group import Group

log = structlog.get_logger()


@dataclass
class MonitorHealth:
    """Of one replica."""

    settings: Settings
    broke: list[End] = field(default_factory=list)
    """When faust broke inside of this process, and why."""

    lost: list[Finding] = field(default_factory=list)
    """Logs that were found lost since this process began."""

    _still: Lasting[Partition] = field(default_factory=Lasting)
    _stalled: list[Finding] = field(default_factory=list)
    _strange: Lasting[str] = field(default_factory=Lasting)
    _strangers: list[Finding] = field(default_factory=list)

    def look(self, readings: dict[Partition, Reading]) -> None:
        """How far our partitions were read, as of now."""
        now = datetime.now(UTC)
        waiting: dict[Partition, object] = {place: each.position for place, each in readings.items() if each.unread}
        since = self._still.look(waiting, now)
        limit = timedelta(seconds=self.settings.trouble_seconds)
        us = Member("", client_id(self.settings.instance), socket.gethostname(), frozenset(readings))
        self._stalled = partitions_stalled(readings, since, [us], limit, now)

    async def watch_group(self) -> None:
        """See who is in our group until cancelled, also while a stranger keeps faust out of it."""
        async with Group(self.settings, application_id(self.settings)) as group:
            while True:
                try:
                    self._see(group.name, await group.members())
                except Exception as error:
                    if not is_transient(error) and not isinstance(error, KafkaError):
                        log.exception("a look at the group broke", action="watch_broke")
                await asyncio.sleep(self.settings.look_seconds)

    def _see(self, group: str, members: Sequence[Member]) -> None:
        """Ours are known by the client's name: without a database there is no list of members to compare with."""
        now, limit = datetime.now(UTC), timedelta(seconds=self.settings.trouble_seconds)
        ours = {member.id for member in members if member.client.startswith(client_id(""))}
        since = self._strange.look(unknown(members, ours), now)
        self._strangers = strangers(group, members, since, limit, now)

    @property
    def findings(self) -> list[Finding]:
        """Everything that is wrong."""
        now, name = datetime.now(UTC), client_id(self.settings.instance)
        ends = ends_in(path_of(self.settings.home, "monitor", self.settings.instance))
        lost = [found for found in self.lost if found.since and found.since > now - TOLD_FOR]
        return [*restarts(name, ends, now), *repeated(name, self.broke, now), *self._stalled, *self._strangers, *lost]
