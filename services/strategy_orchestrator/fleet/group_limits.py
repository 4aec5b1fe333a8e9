"""How many sites of a group may change at once, in all strategies together, and who gets a free place. Pure.

The limit of a group holds beside that of the stage. It counts every running step of its sites, whichever strategy it
belongs to: two strategies of ten sites each must not stop twenty machines of a group that may spare ten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.strategy_orchestrator.domain import slots

UNGROUPED = ""
"""Stands for the sites without a group where others have one; nothing limits them but their stage."""

GROUPS_NAMED = 3
"""A reason names so many full groups, and says how many more there are."""


@dataclass(slots=True)
class Room:
    """A group as it stands: how many of its sites change now, in whatever strategy."""

    name: str
    apply_type: str
    max_parallel: int | str
    sites: int
    running: int

    @property
    def limit(self) -> int:
        """How many may."""
        return slots(self.max_parallel, self.apply_type, self.sites)

    @property
    def free(self) -> int:
        """How many more may; none where a limit was lowered below what runs."""
        return max(self.limit - self.running, 0)


@dataclass(slots=True)
class Share:
    """The sites of one group in one stage of a strategy."""

    group: str
    waiting: int
    """Those that may start; busy ones are not among them."""
    cursor: int
    """None of them stands before this position."""
    blocked: bool = False
    """Some wait for the group alone: whoever frees a place of it wakes the strategy."""


def allot(places: int, shares: Iterable[Share], rooms: Mapping[str, Room]) -> dict[str, int]:
    """How many sites of each group start now: no group more than it has room for, and each by what it could start."""
    wanted = {share.group: startable(share, rooms) for share in shares}
    total = sum(wanted.values())
    if total <= places:
        return {group: count for group, count in wanted.items() if count}
    given = {group: places * count // total for group, count in wanted.items()}
    most_left = sorted(wanted, key=lambda group: (given[group] - wanted[group], group))
    for group in most_left[: places - sum(given.values())]:
        given[group] += 1
    return {group: count for group, count in given.items() if count}


def startable(share: Share, rooms: Mapping[str, Room]) -> int:
    """How many of these sites their group lets start now. A group that is gone limits nothing."""
    room = rooms.get(share.group)
    return share.waiting if room is None else min(share.waiting, room.free)


def full(shares: Iterable[Share], rooms: Mapping[str, Room]) -> list[Room]:
    """The groups for which sites wait."""
    waited_for = (rooms[share.group] for share in shares if share.waiting and share.group in rooms)
    return [room for room in waited_for if not room.free]


def told(rooms: Iterable[Room]) -> str:
    """`group north: 2 of 2 sites change already`; empty for none."""
    names = [f"{room.name}: {room.running} of {room.limit}" for room in rooms]
    if not names:
        return ""
    more = f" and {len(names) - GROUPS_NAMED} more" if len(names) > GROUPS_NAMED else ""
    word = "group" if len(names) == 1 else "groups"
    return f"{word} {', '.join(names[:GROUPS_NAMED])}{more} sites change already"
