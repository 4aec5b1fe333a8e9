"""What a poll brought, a partition at a time: consecutive records, and how they are cut."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from aiokafka import TopicPartition

from shared.core.in_flight import Span
from shared.core.suspects import Piece
from shared.core.transaction import Slice
from shared.wire.codec import Record


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive records of one partition, and what we owned when they were polled.

    The epoch is that of the poll, not of the commit: a partition that went to another replica and came back in
    between has a new one, and records that the other replica handled are not handled again.
    """

    partition: TopicPartition
    epoch: int
    expected: int
    records: Sequence[Record]

    @property
    def slice(self) -> Slice:
        """The move of the consumed offset that handling these records means."""
        partition = self.partition
        return Slice(partition.topic, partition.partition, self.epoch, self.expected, self.records[-1].offset + 1)

    @property
    def span(self) -> Span:
        """The records themselves, as they are marked."""
        return (*self.partition, self.records[0].offset, self.records[-1].offset + 1)

    def pieces(self, piece_of: Callable[[int], Piece | None]) -> Iterator["Stretch"]:
        """Cut where the next record belongs to another piece, by its offset; each begins where the one before ends."""
        expected = self.expected
        for _, records in groupby(self.records, lambda record: piece_of(record.offset)):
            piece = Stretch(self.partition, self.epoch, expected, list(records))
            expected = piece.slice.next_offset
            yield piece

    def halves(self) -> tuple["Stretch", "Stretch"]:
        """Cut in two; the second begins where the first ends."""
        middle = len(self.records) // 2
        first = Stretch(self.partition, self.epoch, self.expected, self.records[:middle])
        second = Stretch(self.partition, self.epoch, first.slice.next_offset, self.records[middle:])
        return first, second


def halves(batch: list[Stretch]) -> tuple[list[Stretch], list[Stretch]]:
    """The batch cut in two, each partition still in order: by partitions while there are several, then by records."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return batch[:middle], batch[middle:]
    first, second = batch[0].halves()
    return [first], [second]
