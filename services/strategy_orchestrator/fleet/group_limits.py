"""How many sites of a group may change at once, in all strategies together, and who gets a free slot. Pure.

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
class GroupUsage:
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
class GroupQueue:
    """The sites of one group in one stage of a strategy."""

    group: str
    waiting: int
    """Those that may start; busy ones are not among them."""
    cursor: int
    """None of them stands before this position."""
    waits_for_group: bool = False
    """Some wait for the group alone: whoever frees a slot of it wakes the strategy."""


def allot(most: int, queues: Iterable[GroupQueue], groups: Mapping[str, GroupUsage]) -> dict[str, int]:
    """How many sites of each group start now: no group more than may change, and each by what it could start."""
    wanted = {queue.group: startable(queue, groups) for queue in queues}
    total = sum(wanted.values())
    if total <= most:
        return {group: count for group, count in wanted.items() if count}
    given = {group: most * count // total for group, count in wanted.items()}
    most_left = sorted(wanted, key=lambda group: (given[group] - wanted[group], group))
    for group in most_left[: most - sum(given.values())]:
        given[group] += 1
    return {group: count for group, count in given.items() if count}


def startable(queue: GroupQueue, groups: Mapping[str, GroupUsage]) -> int:
    """How many of these sites their group lets start now. A group that is gone limits nothing."""
    group = groups.get(queue.group)
    return queue.waiting if group is None else min(queue.waiting, group.free)


def full(queues: Iterable[GroupQueue], groups: Mapping[str, GroupUsage]) -> list[GroupUsage]:
    """The groups for which sites wait."""
    waited_for = (groups[queue.group] for queue in queues if queue.waiting and queue.group in groups)
    return [group for group in waited_for if not group.free]


def full_groups_message(groups: Iterable[GroupUsage]) -> str:
    """`group north: 2 of 2 sites change already`; empty for none."""
    names = [f"{group.name}: {group.running} of {group.limit}" for group in groups]
    if not names:
        return ""
    more = f" and {len(names) - GROUPS_NAMED} more" if len(names) > GROUPS_NAMED else ""
    word = "group" if len(names) == 1 else "groups"
    return f"{word} {', '.join(names[:GROUPS_NAMED])}{more} sites change already"
