"""The slots of groups in one transaction: locked, given to steps, taken back from those that ended, and kept.

All groups of its strategies are locked together, after the strategies and before the fleet (locking.py), so no two
transactions count the same slot and none waits in a circle. Strategies without groups never come here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.domain import Strategy
from services.strategy_orchestrator.fleet.group_limits import (
    UNGROUPED,
    GroupQueue,
    GroupUsage,
    allot,
    full,
)
from services.strategy_orchestrator.gates.gate import Surroundings
from services.strategy_orchestrator.store.steps import Step
from shared.core.transaction import Transaction
from shared.messages.words import StepState

GROUP_SLOT = "group_slot"
"""The timer that wakes a strategy which waits for a slot in a group; its key is the strategy's id."""


async def wake(tx: Transaction, groups: Iterable[str]) -> None:
    """Have the strategies that wait for one of these groups looked at again, each in a transaction of its own."""
    if names := sorted(set(groups)):
        for strategy_id in await store.groups.waiting_for(tx.conn, names):
            tx.set_timer(GROUP_SLOT, strategy_id, tx.now)


Differ = Callable[[Iterable[str], str], None]
"""Takes the ids of strategies whose counts differ, and what differs. Raises, once for each of them."""


class GroupSlots:
    """What one transaction does to groups."""

    def __init__(self, tx: Transaction, differ: Differ) -> None:
        """`differ` is told of strategies whose counts do not fit."""
        self._tx = tx
        self._differ = differ
        self._changed_by: defaultdict[str, set[str]] = defaultdict(set)
        self._groups: dict[str, GroupUsage] = {}
        self._queues: defaultdict[str, dict[int, dict[str, GroupQueue]]] = defaultdict(dict)
        """By strategy and stage."""
        self._changes: Counter[str] = Counter()
        self._left: set[str] = set()
        self._opened: set[str] = set()

    def leave(self, steps: Iterable[Step]) -> None:
        """Steps that ran do no longer."""
        for step in steps:
            if step.group_name:
                self._change(step, step.group_name, -1)
                self._left.add(step.group_name)

    def _change(self, step: Step, name: str, running: int) -> None:
        self._changed_by[name].add(step.strategy_id)
        self._changes[name] += running
        if group := self._groups.get(name):
            group.running += running

    async def open(self, groups: Iterable[str]) -> None:
        """Lock those of these groups that are not yet, and see how full they are without those that left."""
        if names := sorted((set(groups) | self._left) - self._opened):
            self._opened.update(names)
            for name, group in (await store.groups.lock_groups(self._tx.conn, names)).items():
                group.running += self._changes[name]
                self._groups[name] = group
            self._check(names)

    def _check(self, names: Iterable[str]) -> None:
        """Fewer than none cannot run: steps ended that were never counted."""
        for group in (self._groups[name] for name in names if name in self._groups):
            if group.running < 0:
                what = f"group {group.name} counts {group.running} running sites"
                self._differ(self._changed_by[group.name], what)
                group.running = 0

    def around(self, strategy: Strategy) -> Surroundings:
        """What the gates of a strategy's stages look at."""
        return Surroundings(strategy, self._groups, self._queues.get(strategy.id, {}))

    def knows(self, strategy_id: str, stage: int) -> bool:
        """Whether the queues of a stage are loaded."""
        return stage in self._queues.get(strategy_id, {})

    async def queues(self, strategy_id: str, stage: int) -> dict[str, GroupQueue]:
        """The queues of a stage; what is changed in them is kept at the end."""
        known = self._queues[strategy_id]
        if stage not in known:
            known[stage] = await store.groups.queues_of(self._tx.conn, strategy_id, stage)
        return known[stage]

    async def reopen(self, steps: Sequence[Step]) -> None:
        """Steps that were busy may start: the next look for them begins no later than at them."""
        for step in steps:
            if step.group_name is None:
                continue
            queues = await self.queues(step.strategy_id, step.stage)
            if queue := queues.get(step.group_name):
                queue.waiting += 1
                queue.cursor = min(queue.cursor, step.position)

    async def drop(self, steps: Iterable[Step]) -> None:
        """Steps that stood in line wait no longer."""
        for step in steps:
            if step.group_name is None:
                continue
            queues = await self.queues(step.strategy_id, step.stage)
            if queue := queues.get(step.group_name):
                queue.waiting -= 1

    async def start(self, strategy_id: str, stage: int, most: int, batch: str) -> list[Step]:
        """Start as many waiting steps of a stage as its groups let, at most `most`; as they are now."""
        queues = await self.queues(strategy_id, stage)
        counts = allot(most, queues.values(), self._groups)
        steps = await store.groups.start_steps(self._tx.conn, strategy_id, stage, queues, counts, batch, self._tx.now)
        if not steps or len(steps) < sum(counts.values()):
            what = f"the groups of stage {stage + 1} count {sum(counts.values())} sites that may start"
            self._differ([strategy_id], f"{what}, and there are {len(steps)}")
        for step in steps:
            self._take(queues[step.group_name or UNGROUPED], step)
        return steps

    def _take(self, queue: GroupQueue, step: Step) -> None:
        queue.waiting -= 1
        queue.cursor = max(queue.cursor, step.position + 1)
        if queue.group not in self._groups:
            return
        if step.state == StepState.RUNNING:
            self._change(step, queue.group, 1)
        else:
            self._left.add(queue.group)  # it was unmanaged: its slot is free again

    async def note_waiting(self, strategy_id: str, stage: int, *, waits: bool) -> None:
        """Note for which groups a stage waits, if only they keep it closed: whoever frees a slot there wakes it."""
        queues = await self.queues(strategy_id, stage)
        names = {group.name for group in full(queues.values(), self._groups)} if waits else set()
        for queue in queues.values():
            queue.waits_for_group = queue.group in names

    def read_anew(self, strategy_id: str) -> None:
        """The queues of a strategy were made anew."""
        self._queues.pop(strategy_id, None)

    async def forget(self, strategy_id: str) -> None:
        """Nothing of a strategy waits any more."""
        self.read_anew(strategy_id)
        await store.groups.drop_queues(self._tx.conn, strategy_id)

    async def save(self) -> None:
        """Keep what changed, and wake others for the slots that are free now."""
        for strategy_id, stages in self._queues.items():
            for stage, queues in stages.items():
                await store.groups.save_queues(self._tx.conn, strategy_id, stage, list(queues.values()))
        await self._count()
        await wake(self._tx, [name for name in self._left if name in self._groups and self._groups[name].free])

    async def _count(self) -> None:
        changed = [(group, self._changes[group.name]) for group in self._groups.values() if self._changes[group.name]]
        self._check(group.name for group, _ in changed)
        counted = await store.groups.count_running(self._tx.conn, changed) if changed else set()
        for group, _ in changed:
            if group.name not in counted:
                what = f"group {group.name} would change {group.running} sites at once, and {group.limit} may"
                self._differ(self._changed_by[group.name], what)

    def renew(self, names: Iterable[str]) -> dict[str, int]:
        """These groups were recounted; what of this transaction is not kept yet, for that was counted along."""
        for name in names:
            self._groups.pop(name, None)
            self._opened.discard(name)
        return {name: self._changes[name] for name in names}
