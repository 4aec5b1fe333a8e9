"""The places of groups in one transaction: locked, given to steps, taken back from those that ended, and kept.

All groups of its strategies are locked together, after the strategies and before the fleet (locking.py), so no two
transactions count the same place and none waits in a circle. Strategies without groups never come here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.group_limits import Room, Share, allot, full, told
from services.strategy_orchestrator.store.row import Row
from shared.core.transaction import Transaction
from shared.messages.words import StepState

ROOM = "room"
"""The timer that wakes a strategy which waits for a place in a group; its key is the strategy's id."""


async def wake(tx: Transaction, groups: Iterable[str]) -> None:
    """Have the strategies that wait for one of these groups looked at again, each in a transaction of its own."""
    if names := sorted(set(groups)):
        for strategy_id in await store.groups.waiting_for(tx.conn, names):
            tx.set_timer(ROOM, strategy_id, tx.now)


class Places:
    """What one transaction does to groups."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rooms: dict[str, Room] = {}
        self._shares: dict[tuple[str, int], dict[str, Share]] = {}
        self._changes: Counter[str] = Counter()
        self._left: set[str] = set()

    def leave(self, rows: Iterable[Row]) -> None:
        """Steps that ran do no longer."""
        for row in rows:
            if row["group_name"]:
                self._changes[row["group_name"]] -= 1
                self._left.add(row["group_name"])

    async def open(self, groups: Iterable[str]) -> None:
        """Lock these groups, and see how full they are without those that left."""
        if names := sorted(set(groups) | self._left):
            self._rooms = await store.groups.lock_groups(self._tx.conn, names)
            for name, room in self._rooms.items():
                room.running += self._changes[name]

    async def shares(self, strategy_id: str, stage: int) -> dict[str, Share]:
        """The shares of a stage; what is changed in them is kept at the end."""
        key = (strategy_id, stage)
        if key not in self._shares:
            self._shares[key] = await store.groups.shares_of(self._tx.conn, strategy_id, stage)
        return self._shares[key]

    async def reopen(self, rows: Sequence[Row]) -> None:
        """Steps that were busy may start: the next look for them begins no later than at them."""
        for row in rows:
            if row["group_name"] is None:
                continue
            shares = await self.shares(row["strategy_id"], row["stage"])
            if share := shares.get(row["group_name"]):
                share.waiting += 1
                share.cursor = min(share.cursor, row["position"])

    async def drop(self, rows: Sequence[Row]) -> None:
        """Steps that waited do no longer; those that were busy had no place in line."""
        for row in rows:
            if row["group_name"] is None or row["was_parked"]:
                continue
            shares = await self.shares(row["strategy_id"], row["stage"])
            if share := shares.get(row["group_name"]):
                share.waiting -= 1

    async def start(self, strategy_id: str, stage: int, places: int, batch: str) -> list[Row]:
        """Start as many waiting steps of a stage as its groups let, at most `places`; as they are now."""
        shares = await self.shares(strategy_id, stage)
        counts = allot(places, shares.values(), self._rooms)
        if not counts:
            return []
        rows = await store.groups.start_steps(self._tx.conn, strategy_id, stage, shares, counts, batch, self._tx.now)
        if len(rows) < sum(counts.values()):
            raise AssertionError(f"stage {stage} of {strategy_id} counts {counts} startable sites, found {len(rows)}")
        for row in rows:
            self._take(shares[row["group_name"]], row)
        return rows

    def _take(self, share: Share, row: Row) -> None:
        share.waiting -= 1
        share.cursor = max(share.cursor, row["position"] + 1)
        if share.group not in self._rooms:
            return
        if row["state"] == StepState.RUNNING:
            self._rooms[share.group].running += 1
            self._changes[share.group] += 1
        else:
            self._left.add(share.group)  # it was unmanaged: its place is free again

    async def block(self, strategy_id: str, stage: int, *, waits: bool) -> str:
        """Note whether a stage waits for its groups alone, and say for which; empty for none."""
        shares = await self.shares(strategy_id, stage)
        waited_for = full(shares.values(), self._rooms) if waits else []
        names = {room.name for room in waited_for}
        for share in shares.values():
            share.blocked = share.group in names
        return told(waited_for)

    async def forget(self, strategy_id: str) -> None:
        """Nothing of a strategy waits any more."""
        self._shares = {key: shares for key, shares in self._shares.items() if key[0] != strategy_id}
        await store.groups.drop_shares(self._tx.conn, strategy_id)

    async def save(self) -> None:
        """Keep what changed, and wake others for the places that are free now."""
        for (strategy_id, stage), shares in self._shares.items():
            await store.groups.save_shares(self._tx.conn, strategy_id, stage, list(shares.values()))
        changed = [(room, self._changes[room.name]) for room in self._rooms.values() if self._changes[room.name]]
        if changed:
            await store.groups.count_running(self._tx.conn, changed)
        await wake(self._tx, [name for name in self._left if name in self._rooms and self._rooms[name].free])
