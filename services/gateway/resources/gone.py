"""What was removed is kept, marked, so that an older event cannot bring it back."""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar


class Gone(NamedTuple):
    """A site or group that was removed."""

    name: str
    seq: int
    at: datetime


class Stamped(Protocol):
    """A row with the sequence of the event that it was learned from."""

    @property
    def seq(self) -> int:
        """Rises with each change."""


Row = TypeVar("Row", bound=Stamped)
BY_NAME = attrgetter("name")


def newest(rows: Iterable[Stamped], kind: type[Row], key: Callable[[Row], Hashable] = BY_NAME) -> list[Row]:
    """Of the rows of a kind, one for each key (its name): the last of those with the highest sequence.

    What is there and what is gone are reduced apart, and written in this order. One row for both would say of a thing
    that came and went within a batch only that it went; there would be nothing to mark, and its first event, told
    again, would bring it back.
    """
    best: dict[Hashable, Row] = {}
    for row in rows:
        if isinstance(row, kind) and ((seen := best.get(key(row))) is None or seen.seq <= row.seq):
            best[key(row)] = row
    return list(best.values())
