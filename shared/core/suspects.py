"""Records that were in work when a process ended, and what becomes of them.

What a process was working on when it ended is known by its mark (work_mark.py). The records of a mark are suspects:
from then on they are handled in small pieces, each under a mark of its own; up to 32 one by one, of a large batch some
together, so that somebody's `kill -9` costs some transactions and not a thousand. One that was alone in work at two
ends is put aside into the dead letters; all others go their way, whatever they stood beside.

An innocent record is hit when the process was killed from outside twice within the few milliseconds in which that
very record was alone in work, and nothing of it committed in between. It is not lost then: dead letters are kept
whole, and `belay dlq replay` handles it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.core.in_flight import Span
from shared.core.transaction import SQL
from shared.messages.base import ErrorCode, Fault
from shared.process.db import Connection, columns

TWICE = 2
"""Ends with the record alone in work, from which on it is to blame."""

PIECES = 32
"""Into which the suspects of one end are cut: 1,000 records lead to the one to blame at the second further end."""

Partition = tuple[str, int]
Piece = tuple[int, int]
"""Where the suspects begin, and which part of them: records of one piece are handled together."""


@dataclass(slots=True)
class Suspects:
    """The suspects of the partitions that are ours."""

    ranges: dict[Partition, list[tuple[int, int, int]]] = field(default_factory=dict)
    """First offset, the one behind the last, and at how many ends they alone were in work."""

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, int, int, int]]) -> "Suspects":
        """From rows of topic, partition, first offset, the one behind the last, ends alone."""
        found = cls()
        for topic, part, first, behind, alone in rows:
            found.ranges.setdefault((topic, part), []).append((first, behind, alone))
        return found

    def forget(self, partition: Partition, position: int) -> None:
        """Everything before this position was handled."""
        left = [span for span in self.ranges.get(partition, ()) if span[1] > position]
        if left:
            self.ranges[partition] = left
        else:
            self.ranges.pop(partition, None)

    def piece_of(self, partition: Partition, offset: int) -> Piece | None:
        """Which part of which suspects a record belongs to; None for one that was not in work. Of several the least."""
        spans = [
            (behind - first, first) for first, behind, _ in self.ranges.get(partition, ()) if first <= offset < behind
        ]
        if not spans:
            return None
        size, first = min(spans)
        return first, (offset - first) // max(-(-size // PIECES), 1)

    def guilty(self, partition: Partition, offset: int) -> bool:
        """Whether it was alone in work at two ends."""
        return any(
            first == offset and behind == offset + 1 and alone >= TWICE
            for first, behind, alone in self.ranges.get(partition, ())
        )


def blame() -> Fault:
    """Why a record was put aside."""
    message = "the process ended twice while it handled this record and nothing else"
    return Fault(code=ErrorCode.ENDED_THE_PROCESS, field="", message=message)


async def accuse(conn: Connection, spans: Sequence[Span]) -> None:
    """Keep what was in work when the process ended."""
    topics, parts, firsts, nexts = columns(spans, 4)
    alone = int(len(spans) == 1 and nexts[0] == firsts[0] + 1)
    await SQL.run(conn, "suspect_records", topics=topics, parts=parts, firsts=firsts, nexts=nexts, alone=alone)


async def find(conn: Connection, partitions: Sequence[Partition]) -> list[tuple[str, int, int, int, int]]:
    """The suspects of these partitions."""
    topics, parts = columns(partitions, 2)
    return [tuple(row) for row in await SQL.fetch(conn, "find_suspects", topics=topics, parts=parts)]
