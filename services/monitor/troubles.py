"""What is said of Belay's own troubles, pure: rows of replicas and time in, what is found and what is over out.

Every replica of a service tells of the same partition or group: it is one trouble. A trouble is over when nobody tells
of it any more and all replicas of its service answer; of one that is silent nothing new is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.messages.base import Message
from shared.process.health import Finding, Lasting
from shared.wire.codec import Envelope

Key = tuple[str, str, str]
"""Service, code, and what it is about."""

Row = Mapping[str, Any]
"""A replica as `shared.process.replicas` tells of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A trouble that people were told of."""

    trouble_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be said: a finding that is new, or None for one that is over."""

    key: Key
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """A change in its final words, until Kafka has confirmed them."""

    change: Change
    said: Said
    envelope: Envelope[Message]


@dataclass
class Troubles:
    """What was said so far. In memory: a monitor that starts anew says again what lasts, and people are spared it
    by the notifier's quiet time."""

    said: dict[Key, Said] = field(default_factory=dict)
    unsent: Unsent | None = None
    _silent: Lasting[str] = field(default_factory=Lasting)

    def changes(self, rows: Sequence[Row], limit: timedelta, now: datetime) -> list[Change]:
        """What is to be said now; it counts as said once the caller has put it into `said`."""
        present = dict(self._present(rows, limit, now))
        speechless = {row["service"] for row in rows if "error" in row}
        found = [Change(key, finding) for key, finding in present.items() if key not in self.said]
        gone = [key for key in self.said if key not in present and key[0] not in speechless]
        return [*found, *(Change(key, None) for key in gone)]

    def _present(self, rows: Sequence[Row], limit: timedelta, now: datetime) -> Iterator[tuple[Key, Finding]]:
        for row in rows:
            for told in row.get("findings", ()):
                finding = Finding.model_validate(told, extra="ignore")
                yield (row["service"], finding.code, finding.about), finding
        silent: dict[str, object] = {f"{row['service']}-{row['instance']}": True for row in rows if "error" in row}
        since = self._silent.look(silent, now)
        for row in rows:
            name = f"{row['service']}-{row['instance']}"
            if name in since and now - since[name] >= limit:
                message = f"{name} does not answer: {row['error']}"
                finding = Finding(code="no_answer", about=name, message=message, since=since[name])
                yield (row["service"], finding.code, name), finding
