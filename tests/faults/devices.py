"""What somebody does to devices behind everybody's back: takes away what runs there, without a word."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from services.deployer.drivers.simulated.device_journal import DeviceJournal

BROKEN = "broken-"
"""With this the operations of such orders begin: nobody asked for them."""


class Devices:
    """The devices of a round. In threads: a process that was frozen may hold the lock of their journal."""

    def __init__(self, home: Path) -> None:
        self._journal = DeviceJournal(home / "devices" / "journal.jsonl")
        self._turn = asyncio.Lock()  # a lock of a file keeps out processes, not threads

    async def take_away(self, sites: Sequence[str], app: str) -> None:
        """Nothing works on these sites any more."""
        async with self._turn:
            await asyncio.to_thread(self._take_away, sites, app)

    async def runs(self, site: str) -> bool:
        """Whether anything works there."""
        async with self._turn:
            return bool(await asyncio.to_thread(self._journal.running, site))

    def _take_away(self, sites: Sequence[str], app: str) -> None:
        at = datetime.now(UTC).isoformat()
        with self._journal.writing() as lines:
            for site in sites:
                order = {"order": f"{BROKEN}{uuid4()}/forward/web", "version": None, "action": "remove"}
                lines.append({"at": at, "effect": "ended", "site": site, "app": app, "component": "web", **order})
