"""Orders carried out by Ansible: what a driver of a tool brings (durable/tool.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar

from services.deployer.drivers import OBLIGATORY, Broken, Order, Reachable, Reached, Verb
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.looking import Looking
from services.deployer.drivers.ansible.procedure import Procedure, side_by_side
from services.deployer.drivers.ansible.reaching import reached
from services.deployer.drivers.ansible.records import Records
from services.deployer.drivers.ansible.runs import Runs
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.ansible.supply import Supply
from services.deployer.drivers.bundles import UnpackedBundles
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.tool import Tool
from shared.blobs import Blobs
from shared.core.retrying import for_ever

TIDY_SECONDS = 60.0
YOUNG_SECONDS = 10.0
"""A run is in its order's note before it has a folder; so long a folder is left alone that was made after we asked."""


class AnsibleTool(Tool):
    """Ansible on this machine, with its runs under `home`."""

    name: ClassVar[str] = "ansible"
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY | {"fetch", "discard", "tasks"}
    brings: ClassVar[bool] = True

    def __init__(
        self,
        runs: Runs,
        bundles: UnpackedBundles,
        blobs: Blobs,
        records: Records,
        supply: Supply,
        settings: AnsibleSettings,
    ) -> None:
        self.at_once, self.beside_at_once = settings.at_once, settings.send_at_once
        self._settings = settings
        self._runs = runs
        self._bundles = bundles
        self._blobs = blobs
        self._records = records
        self._here = supply.delivery.here
        self._looking = Looking(runs, bundles, supply, settings, asyncio.Semaphore(settings.at_once))
        self._procedure = Procedure(runs, bundles, records, settings, supply)

    def batches(self, runs: Sequence[Run]) -> Sequence[Sequence[Run]]:
        """Orders that may share a run, as their component allows."""
        groups = planning.sharing([run.order for run in runs], self._settings.sites_a_run)
        return [[runs[position] for position in group] for group in groups]

    def beside(self, order: Order) -> bool:
        """Content alone needs no run of Ansible."""
        return planning.is_content_alone(order)

    async def carry_out(self, runs: Sequence[Run]) -> None:
        """See through what an earlier call began, and begin what none did."""
        groups: dict[str | None, list[Run]] = {}
        for run in runs:
            groups.setdefault(run.note.get("run"), []).append(run)
        await side_by_side(self._procedure.carry_out(known, members) for known, members in groups.items())

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """What their verify playbooks say, run once more."""
        return await self._looking.look(orders)

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """Whether all hosts of each site answer."""
        return await asyncio.gather(*(reached(site, self._here) for site in sites))

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        """Whether what made a revision is still there, its bundle that is, and its site was not cleared of it."""
        removed = await self._records.removed(orders)
        made = [planning.is_revision_of(o) and not gone for o, gone in zip(orders, removed, strict=True)]
        return [one and await self._has_bundle(order) for order, one in zip(orders, made, strict=True)]

    async def _has_bundle(self, order: Order) -> bool:
        return order.bundle_sha256 is not None and await self._blobs.exists(order.bundle_sha256)

    async def tend(self) -> None:
        """Until cancelled, clear away what killed processes left."""
        await for_ever(self._tidy, "runs that are over are not cleared away", "ansible_tidy_retry")

    async def _tidy(self) -> None:
        wanted = await self._records.wanted()
        await asyncio.to_thread(self._runs.sweep, wanted, YOUNG_SECONDS)
        await asyncio.to_thread(self._bundles.prune, time.time())
        await asyncio.sleep(TIDY_SECONDS)
