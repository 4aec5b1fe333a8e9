"""What can be wrong with Belay itself, pure: the table of findings, and when something observed is one.

A finding says what, since when, why as far as it is known, and what to do. It never makes a replica un-ready: taking
it out of service, or starting it anew, helps with none of them (README.md).
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

RESTARTS = 3
RESTARTS_WITHIN = timedelta(minutes=10)
"""So many ends by itself within this time are a loop: one death is an accident, two may be a deployment gone wrong."""

TOLD_FOR = timedelta(days=1)
"""What happened once, and is over, is told for so long."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding: what it means, and what a person does about it."""

    what: str
    advice: str


KINDS: dict[str, Kind] = {
    "restarts": Kind(
        "a replica ended by itself three times within ten minutes",
        "read its log; if one record is to blame it is put aside by itself at its second death, else mend the cause",
    ),
    "breaks_inside": Kind(
        "what a replica is made of broke three times within ten minutes, and was begun anew inside of the process",
        "read its log; as long as it comes back, what it does is late and not lost",
    ),
    "no_answer": Kind(
        "a replica that did not stop in order does not answer",
        "see whether its process runs, and read its log; remove its note in the folder run if it is gone for good",
    ),
    "outbox_stalled": Kind(
        "the oldest record of an outbox waits for longer than a minute",
        "see whether Kafka takes records: its log, its disk, the topics' limits",
    ),
    "partition_stalled": Kind(
        "a partition has records, and for a minute none was handled",
        "read the log of its owner; where nobody owns it, see that the service runs, and no stranger is in its group",
    ),
    "stranger_in_group": Kind(
        "a consumer that is none of our replicas is a member of our consumer group, and takes partitions from us",
        "stop it, or give it a group of its own",
    ),
    "log_lost": Kind(
        "a topic does not hold what was read of it: it was made anew, or Kafka lost records",
        "find out who deleted it, or what Kafka lost; it is read from its beginning, and what is missing is not done",
    ),
    "records_refused": Kind(
        "Kafka refused records for good; they are kept aside",
        "where the service runs: `python -m shared.refused list`, then `replay` once its topic takes them, or `drop`",
    ),
    "record_put_aside": Kind(
        "a record that ended the process twice lies in the dead letters",
        "look at it (`belay dlq list`), mend what it breaks, then `belay dlq replay`",
    ),
}
"""Every kind of finding by its code. What other parts of the core find is added to it where it is found."""


class Finding(BaseModel):
    """Something that is wrong."""

    model_config = ConfigDict(frozen=True)

    code: str
    about: str = Field(default="", description="the partition, process, group or record")
    message: str = Field(description="what is wrong, with its cause as far as it is known")
    since: datetime | None = None

    @property
    def advice(self) -> str:
        """What a person does about it; "" for a kind that only a newer version knows."""
        return KINDS[self.code].advice if self.code in KINDS else ""


# -- starts and ends ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class End:
    """A replica ended, though nobody had told it to."""

    at: datetime
    cause: str


def restarts(name: str, ends: Sequence[End], now: datetime) -> list[Finding]:
    """Whether a replica starts again and again; the cause is the one that came most often."""
    return _loop("restarts", name, f"{name} ended by itself", ends, now)


def repeated(name: str, ends: Sequence[End], now: datetime) -> list[Finding]:
    """Whether something inside of a replica breaks again and again."""
    return _loop("breaks_inside", name, f"a part of {name} broke", ends, now)


def _loop(code: str, name: str, what: str, ends: Sequence[End], now: datetime) -> list[Finding]:
    of_late = late(ends, now)
    if len(of_late) < RESTARTS:
        return []
    cause, times = Counter(end.cause for end in of_late).most_common(1)[0]
    share = "each time" if times == len(of_late) else f"{times} times"
    message = f"{what} {len(of_late)} times within {_spoken(now - of_late[0].at)}; {share}: {cause}"
    return [Finding(code=code, about=name, message=message, since=of_late[0].at)]


def late(ends: Sequence[End], now: datetime) -> list[End]:
    """Those that count for a loop."""
    return [end for end in ends if end.at > now - RESTARTS_WITHIN]


# -- the outbox ---------------------------------------------------------------------------------------------------


def outbox_stalled(seconds: float, cause: str, limit: float, now: datetime) -> list[Finding]:
    """Whether the oldest record of the outbox waits for longer than `limit`."""
    if seconds <= limit:
        return []
    why = f"; last failure of the relay: {cause}" if cause else "; the relay reports no failure"
    message = f"the oldest record of the outbox waits for {_spoken(timedelta(seconds=seconds))}{why}"
    return [Finding(code="outbox_stalled", message=message, since=now - timedelta(seconds=seconds))]


def records_refused(number: int) -> list[Finding]:
    """Whether Kafka refused records for good."""
    what = f"Kafka refused {_counted(number, 'record')} for good"
    return [Finding(code="records_refused", message=what)] if number else []


def log_lost(topic: str, part: int, position: int, start: int, why: str, now: datetime) -> Finding:
    """That a partition is read from its beginning, because the log that was read is lost."""
    message = f"{topic}/{part} was read up to offset {position}, but {why}; it is read again from offset {start} on"
    return Finding(code="log_lost", about=f"{topic}/{part}", message=message, since=now)


# -- partitions and groups ----------------------------------------------------------------------------------------

K = TypeVar("K", bound=Hashable)


@dataclass
class Lasting(Generic[K]):
    """Since when something has been as it is: `look` at equal intervals with what is the case."""

    known: dict[K, tuple[object, datetime]] = field(default_factory=dict)

    def look(self, case: Mapping[K, object], now: datetime) -> dict[K, datetime]:
        """By key: since when its value is the same; a key that is absent is forgotten."""
        before = self.known
        same = {
            key: before[key][1] if key in before and before[key][0] == value else now for key, value in case.items()
        }
        self.known = {key: (value, same[key]) for key, value in case.items()}
        return same


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a consumer group, as Kafka describes it."""

    id: str
    client: str
    host: str
    partitions: frozenset[tuple[str, int]] = frozenset()

    def __str__(self) -> str:
        return f"{self.client or 'an unnamed client'} at {self.host}"


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a partition was handled: records up to `position` are, `unread` are not."""

    position: int
    unread: int


Partition = tuple[str, int]


def partitions_stalled(
    readings: Mapping[Partition, Reading],
    since: Mapping[Partition, datetime],
    members: Sequence[Member],
    limit: timedelta,
    now: datetime,
) -> list[Finding]:
    """Partitions with unread records that stand where they stood `limit` ago, each with who owns it."""
    return [
        Finding(
            code="partition_stalled",
            about=f"{topic}/{part}",
            message=f"{reading.unread} records of {topic}/{part} wait, and none was handled for "
            f"{_spoken(now - since[topic, part])}, from offset {reading.position} on; {_owner((topic, part), members)}",
            since=since[topic, part],
        )
        for (topic, part), reading in readings.items()
        if reading.unread and now - since[topic, part] >= limit
    ]


def _owner(partition: Partition, members: Sequence[Member]) -> str:
    owners = [str(member) for member in members if partition in member.partitions]
    return f"it belongs to {', '.join(owners)}" if owners else "nobody owns it"


def strangers(
    group: str, members: Sequence[Member], since: Mapping[str, datetime], limit: timedelta, now: datetime
) -> list[Finding]:
    """Members of the group that no replica owned up to for `limit`; `since`: by the id of a member unknown so far."""
    return [
        Finding(
            code="stranger_in_group",
            about=f"{group}: {member}",
            message=f"{member} is a member of the consumer group {group}, but none of our replicas; it holds "
            f"{_counted(len(member.partitions), 'partition')}, whose records we do not see",
            since=since[member.id],
        )
        for member in members
        if member.id in since and now - since[member.id] >= limit
    ]


def unknown(members: Sequence[Member], ours: Collection[str]) -> dict[str, object]:
    """The members that are none of ours, by their ids; for `Lasting`."""
    return {member.id: True for member in members if member.id not in ours}


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _spoken(time: timedelta) -> str:
    seconds = max(int(time.total_seconds()), 0)
    return _counted(seconds, "second") if seconds < 120 else _counted(seconds // 60, "minute")
