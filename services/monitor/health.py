"""What is wrong with the monitor itself: it has no ledger, and keeps in memory and in files what others keep there."""

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.health import End, Finding, Lasting, Member, Partition, Reading, partitions_stalled, repeated, restarts
from shared.runs import ends_in, path_of
from shared.settings import Settings


@dataclass
class Health:
    """Of one replica."""

    settings: Settings
    broke: list[End] = field(default_factory=list)
    """When faust broke inside of this process, and why."""

    _still: Lasting[Partition] = field(default_factory=Lasting)
    _stalled: list[Finding] = field(default_factory=list)

    def look(self, readings: dict[Partition, Reading]) -> None:
        """How far our partitions were read, as of now."""
        now = datetime.now(UTC)
        waiting: dict[Partition, object] = {place: each.position for place, each in readings.items() if each.unread}
        since = self._still.look(waiting, now)
        limit = timedelta(seconds=self.settings.trouble_seconds)
        us = Member("", f"monitor-{self.settings.instance}", socket.gethostname(), frozenset(readings))
        self._stalled = partitions_stalled(readings, since, [us], limit, now)

    @property
    def findings(self) -> list[Finding]:
        """Everything that is wrong."""
        now, name = datetime.now(UTC), f"monitor-{self.settings.instance}"
        ends = ends_in(path_of(self.settings.home, "monitor", self.settings.instance))
        return [*restarts(name, ends, now), *repeated(name, self.broke, now), *self._stalled]
