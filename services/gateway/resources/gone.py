"""What was removed is kept, marked, so that an older event cannot bring it back."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar


class Gone(NamedTuple):
    """A site or group that was removed."""

    name: str
    seq: int
    at: datetime


class Stamped(Protocol):
    """A row with a name, and the sequence of the event that it was learned from."""

    @property
    def name(self) -> str:
        """Its key."""

    @property
    def seq(self) -> int:
        """Rises with each change."""


Row = TypeVar("Row", bound=Stamped)


def newest(rows: Iterable[Row]) -> list[Row]:
    """One row a name: the last of those with the highest sequence."""
    best: dict[str, Row] = {}
    for row in rows:
        if (seen := best.get(row.name)) is None or seen.seq <= row.seq:
            best[row.name] = row
    return list(best.values())
