"""Whether what playbooks brought some time ago is still well: their verify playbook says so, run once more."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from services.deployer.drivers import Broken, Order
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.connection import Host, hosts_of
from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runner.job import Act
from services.deployer.drivers.ansible.runs import RunnerDied, Runs, attend
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.ansible.supply import Supply, told_as_host_error
from services.deployer.drivers.bundles import UnpackedBundles
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Looking:
    """Runs of verify playbooks alone: of no order, and found again by nobody, since they change nothing."""

    runs: Runs
    bundles: UnpackedBundles
    supply: Supply
    settings: AnsibleSettings
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Of such runs side by side, beside those of orders."""

    async def look(self, orders: Sequence[Order]) -> list[Broken | None]:
        """What has fallen; None where it has not, has no verify playbook, or cannot be asked just now."""
        groups = planning.sharing(orders, self.settings.sites_a_run)
        found = await asyncio.gather(*(self._fallen([orders[n] for n in group]) for group in groups))
        fallen = {key: broken for some in found for key, broken in some.items()}
        return [fallen.get(order.key) for order in orders]

    async def _fallen(self, orders: Sequence[Order]) -> dict[str, Broken]:
        """By key, of orders that may share a run."""
        acts = planning.acts_of_look(orders[0])
        if not acts:
            return {}
        try:
            async with self.places:
                story = await self._verified(orders, acts)
        except (Failed, RunnerDied) as error:
            about = {"orders": [order.key for order in orders][:20], "error": str(error)[:500]}
            log.warning("what was deployed cannot be verified just now", action="verify_missed", **about)
            return {}
        return {order.key: fallen for order in orders if (fallen := _verdict(story, order.site))}

    async def _verified(self, orders: Sequence[Order], acts: Sequence[Act]) -> Story:
        """Raises Failed and RunnerDied where nobody can say."""
        hosts = {order.site: hosts_of(order.connection, order.site) for order in orders}
        with told_as_host_error():
            project = await self.bundles.of(str(orders[0].bundle_sha256))
        content = await self._content(orders, hosts, project)
        given = planning.given_for(orders, hosts, str(project), self.settings, content, acts)
        known = planning.known_hosts(pair for each in hosts.values() for pair in each.items())
        with told_as_host_error():
            folder = await asyncio.to_thread(self.runs.begin, uuid.uuid4().hex, given, known)
        return await self._seen_through(folder)

    async def _seen_through(self, folder: RunFolder) -> Story:
        try:
            return await attend(folder, lambda _: None)
        finally:
            await asyncio.to_thread(self.runs.clear, folder)

    async def _content(
        self, orders: Sequence[Order], hosts: Mapping[str, Mapping[str, Host]], project: Path
    ) -> Mapping[str, Mapping[str, str]]:
        """Where the files of the component lie, by host: the playbook may read them."""
        if not planning.spec_of(orders[0]).files:
            return {}
        _, content = await self.supply.bring([Run(order, _unkept, _unkept) for order in orders], hosts, project)
        return content


async def _unkept(_key: str, _what: Any) -> None:
    """Nothing of a look is kept."""


def _verdict(story: Story, site: str) -> Broken | None:
    """What its playbook found; a host that does not answer just now says nothing of what runs there."""
    broken = story.broken.get(site)
    if broken is None or (story.lost & set(story.job.sites[site])):
        return None
    return Broken("fallen", f"verified once more, it is not well: {broken.message}", broken.last_lines)
