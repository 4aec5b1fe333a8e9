"""A tool whose sites are folders: what its orders did there is told by files, one line for each time it was done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from services.deployer.drivers import OBLIGATORY, Broken, Done, Order, Verb
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.tool import Tool
from services.deployer.drivers.failed import Failed
from tests.support.components import for_driver, simulated


class FileTool(Tool):
    """`connection`: `does` (well, or fails, hangs, half, defect, silent), `together` (its batch), `beside`, `looks`."""

    name: ClassVar[str] = "files"
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY

    def __init__(self, folder: Path, at_once: int = 50) -> None:
        self.folder = folder
        self.at_once = self.beside_at_once = at_once
        self.most = 0
        self.busy = 0
        self.sizes: list[int] = []
        folder.mkdir(parents=True, exist_ok=True)

    def batches(self, runs: Sequence[Run]) -> Sequence[Sequence[Run]]:
        split: dict[str, list[Run]] = {}
        for run in runs:
            split.setdefault(str(run.order.connection.get("together", run.order.key)), []).append(run)
        return list(split.values())

    def beside(self, order: Order) -> bool:
        return bool(order.connection.get("beside"))

    async def carry_out(self, runs: Sequence[Run]) -> None:
        self.sizes.append(len(runs))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.gather(*(self._carry_out(run) for run in runs))
        finally:
            self.busy -= 1

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        if any(order.connection.get("looks") == "breaks" for order in orders):
            raise RuntimeError("a site with an odd answer")
        return [None if self._here(order).exists() else Broken("fallen", "its file is gone") for order in orders]

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        return [(self.folder / f"{order.site}.{order.revision}.once").exists() for order in orders]

    async def _carry_out(self, run: Run) -> None:
        self.say(run.order, "took")
        match run.order.connection.get("does", "well"):
            case "fails":
                raise Failed("refused", "the site refuses", ["no", "never"])
            case "defect":
                raise RuntimeError("a defect")
            case "well":
                await self._do(run)
            case "half" if "half" in run.note:
                await run.end(Done("half done before"))
            case "half":
                await run.write_down(half=True)
                self.say(run.order, "half")
                await self._hang(run)
            case "hangs":
                await self._hang(run)

    async def _do(self, run: Run) -> None:
        order = run.order
        if order.action == "remove":
            for each in [*self.folder.glob(f"{order.site}.*.once"), self._here(order)]:
                each.unlink(missing_ok=True)
        else:
            (self.folder / f"{order.site}.r{order.version}.once").touch()
            self._here(order).touch()
        self.say(order, "did")
        await run.end(Done(f"r{order.version}", str(order.connection.get("says", ""))))

    async def _hang(self, run: Run) -> None:
        try:
            await run.until_cancelled()
        except asyncio.CancelledError:
            self.say(run.order, "dropped")
            raise
        await run.end(Broken("cancelled", "it was told to stop"))

    def _here(self, order: Order) -> Path:
        return self.folder / f"{order.site}.here"

    def say(self, order: Order, what: str) -> None:
        with (self.folder / f"{order.key}.log").open("a") as log:
            log.write(f"{what}\n")

    def said(self, order: Order) -> list[str]:
        """What was done of an order, by any process."""
        file = self.folder / f"{order.key}.log"
        return file.read_text().split() if file.exists() else []


def order(key: str, site: str = "s1", version: str = "1.0", **connection: object) -> Order:
    """An order to apply a component by the file tool."""
    component = for_driver(simulated("bulb"))
    return Order(key, site, connection, "lamp", "apply", component, version, "a" * 64)
