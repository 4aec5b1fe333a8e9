"""Orders carried out by Ansible: what a driver of a tool brings (durable/tool.py)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from services.deployer.drivers import OBLIGATORY, Broken, Done, Order, Verb
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.connection import Host, hosts_of
from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.records import Records
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runs import RunnerDied, Runs, attend
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.bundles import UnpackedBundles
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.tool import Tool
from services.deployer.drivers.failed import Failed
from shared.blobs import Blobs
from shared.core.retrying import for_ever

MOST_TRIES = 3
"""A runner that dies so often (no memory, say) would die for ever."""
TIDY_SECONDS = 60.0
YOUNG_SECONDS = 10.0
"""A run is in its order's note before it has a folder; so long a folder is left alone that was made after we asked."""
MARGIN_SECONDS = 15.0


class AnsibleTool(Tool):
    """Ansible on this machine, with its runs under `home`."""

    name: ClassVar[str] = "ansible"
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY | {"fetch", "tasks"}

    def __init__(
        self, runs: Runs, bundles: UnpackedBundles, blobs: Blobs, records: Records, settings: AnsibleSettings
    ) -> None:
        self.at_once = settings.at_once
        self._settings = settings
        self._runs = runs
        self._bundles = bundles
        self._blobs = blobs
        self._records = records
        self._tasks: dict[tuple[str, ...], int] = {}
        """How many tasks a job had the last time, by what it runs: from it follows how far the next one is."""

    def batches(self, runs: Sequence[Run]) -> Sequence[Sequence[Run]]:
        """Orders that may share a run, as their component allows."""
        groups = planning.sharing([run.order for run in runs], self._settings.sites_a_run)
        return [[runs[position] for position in group] for group in groups]

    async def carry_out(self, runs: Sequence[Run]) -> None:
        """See through what an earlier call began, and begin what none did."""
        groups: dict[str | None, list[Run]] = {}
        for run in runs:
            groups.setdefault(run.note.get("run"), []).append(run)
        await asyncio.gather(*(self._group(known, members) for known, members in groups.items()))

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """A host is not asked again: its verify playbook has just said that it is well."""
        return [None] * len(orders)

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

    # -- a run found again ----------------------------------------------------------------------------------------

    async def _group(self, known: str | None, runs: Sequence[Run]) -> None:
        folder = await self._found_again(known, str(runs[0].note.get("home")), runs) if known else None
        await (self._see_through(folder, runs) if folder else self._anew(runs))

    async def _found_again(self, known: str, home: str, runs: Sequence[Run]) -> RunFolder | None:
        """The run, if it goes on or has ended by itself; otherwise nothing of it does when this returns."""
        if home != self._runs.home_id:
            for run in runs:
                run.report("waits until its run on another machine has stopped")
            await asyncio.sleep(self._rest_seconds)
            return None
        folder = self._runs.find(known)
        if folder and not (folder.lives() or folder.ended()):
            await asyncio.to_thread(self._runs.clear, folder)
            return None
        return folder

    @property
    def _rest_seconds(self) -> float:
        """So long after its deployer's death a run that was left alone goes on at the most."""
        return self._settings.unattended_seconds + self._settings.grace_seconds + MARGIN_SECONDS

    # -- a new run ------------------------------------------------------------------------------------------------

    async def _anew(self, runs: Sequence[Run]) -> None:
        await self._end_abandoned(runs)
        hosts = await self._hosts(runs)
        ours = [run for run in runs if run.order.site in hosts]
        if not ours:
            return
        first = ours[0].order
        project = await self._bundles.of(str(first.bundle_sha256))
        if not planning.acts_of(first):
            for run in ours:
                await run.end(Done("", "its bundle is at hand; it has no playbook for this"))
            return
        name = uuid.uuid4().hex
        for run in ours:
            await self._write_down(run, name)
        await self._see_through(await self._begin(name, ours, hosts, project), ours)

    async def _hosts(self, runs: Sequence[Run]) -> dict[str, Mapping[str, Host]]:
        """The hosts of each site, by site; those that need no run have ended with this."""
        found: dict[str, Mapping[str, Host]] = {}
        taken: set[str] = set()
        for run in runs:
            try:
                found[run.order.site] = hosts = _hosts_of(run, taken)
                taken |= hosts.keys()
            except Failed as failed:
                await run.end(failed.broken)
        return found

    async def _write_down(self, run: Run, name: str) -> None:
        tries = run.note.get("tries", 0) + 1
        if tries > MOST_TRIES:
            raise Failed("runner_died", f"its runner died {MOST_TRIES} times", run.note.get("lines", ()))
        changes = run.order.action in OBLIGATORY
        await run.write_down(run=name, home=self._runs.home_id, tries=tries, changes=changes)

    async def _begin(
        self, name: str, runs: Sequence[Run], hosts: Mapping[str, Mapping[str, Host]], project: Path
    ) -> RunFolder:
        given = planning.given_for([run.order for run in runs], hosts, str(project), self._settings)
        known = planning.known_hosts(pair for each in hosts.values() for pair in each.items())
        try:
            return await asyncio.to_thread(self._runs.begin, name, given, known)
        except OSError as error:
            raise Failed("host_error", f"a run cannot be begun on the deployer's machine: {error}") from error

    async def _end_abandoned(self, runs: Sequence[Run]) -> None:
        """An older order of the place may have been given up while its run goes on, with nobody looking after it."""
        for left in await self._records.abandoned([run.order for run in runs]):
            if left.home != self._runs.home_id:
                await asyncio.sleep(max(self._rest_seconds - left.seconds, 0))
            elif folder := self._runs.find(left.run):
                folder.stop.touch()
                with suppress(RunnerDied):
                    await attend(folder, lambda _: None)
                await asyncio.to_thread(self._runs.clear, folder)

    # -- a run under way ------------------------------------------------------------------------------------------

    async def _see_through(self, folder: RunFolder, runs: Sequence[Run]) -> None:
        """Look after a run until it ends. When this is cancelled the run goes on, for whoever finds it again."""
        try:
            story = await attend(folder, lambda story: self._hear(folder, story, runs))
        except RunnerDied as died:
            await asyncio.to_thread(self._runs.clear, folder)
            for run in runs:
                await run.write_down(lines=died.lines)
            return await self._anew(runs)
        self._tasks[_kind(story)] = story.tasks
        again = [run for run in runs if not await self._end(run, story)]
        await self._leave(folder)
        if again:
            await self._anew(again)
        return None

    def _hear(self, folder: RunFolder, story: Story, runs: Sequence[Run]) -> None:
        detail, percent = story.progress(self._tasks.get(_kind(story)))
        for run in runs:
            run.report(detail, percent)
        if {run.order.site for run in runs if run.cancelled} >= set(story.sound()) and not folder.stop.exists():
            folder.stop.touch()

    async def _end(self, run: Run, story: Story) -> bool:
        """Whether the order has ended with its run; not, where the run stopped because nobody looked after it."""
        site = run.order.site
        broken = story.result(site)
        if broken and broken.code == "unattended":
            return False
        await run.end(broken or _done(run.order, story))
        return True

    async def _leave(self, folder: RunFolder) -> None:
        """Clear the run away, unless an order in other hands is still to be told by it."""
        if folder.id not in await self._records.wanted():
            await asyncio.to_thread(self._runs.clear, folder)


def _hosts_of(run: Run, taken: set[str]) -> Mapping[str, Host]:
    """The hosts of an order's site, by names that nobody has `taken`. Raises Failed."""
    if run.cancelled:
        raise Failed("cancelled", "it was cancelled before it began")
    planning.spec_of(run.order)
    hosts = hosts_of(run.order.connection, run.order.site)
    if twice := taken & hosts.keys():
        raise Failed("bad_connection", f"site {run.order.site}: another site has a host of the name {min(twice)}, too")
    return hosts


def _kind(story: Story) -> tuple[str, ...]:
    return (str(story.job.project), *(act.playbook for act in story.job.acts))


def _done(order: Order, story: Story) -> Done:
    hosts = len(story.job.sites[order.site])
    said = f"{hosts} host{'s' if hosts > 1 else ''}"
    if order.action not in ("apply", "rollback"):
        return Done("", said)
    facts = {**planning.facts_in(order.revision), **story.facts_of(order.site)}
    return Done(planning.revision_of(order, facts), said)
