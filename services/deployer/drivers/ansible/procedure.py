"""Orders that share a run, from wherever an earlier call left them to their ends."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.deployer.drivers import OBLIGATORY, Broken, Done
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.connection import Host, hosts_of
from services.deployer.drivers.ansible.delivery import Paths, sent_for
from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.records import Left, Records
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runs import RunnerDied, Runs, attend, missing_programs
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.ansible.supply import Supply, told_as_host_error
from services.deployer.drivers.bundles import UnpackedBundles
from services.deployer.drivers.durable.run import Run, unless_cancelled
from services.deployer.drivers.failed import Failed

MOST_DEATHS = 3
"""A runner that dies so often (no memory, say) would die for ever."""
MARGIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Procedure:
    """How runs are begun, found again and seen through."""

    runs: Runs
    bundles: UnpackedBundles
    records: Records
    settings: AnsibleSettings
    supply: Supply
    tasks: dict[tuple[str, ...], int] = field(default_factory=dict)
    """How many tasks a job had the last time, by what it runs: from it follows how far the next one is."""

    async def carry_out(self, known: str | None, runs: Sequence[Run]) -> None:
        """`known`: the run that these orders began before."""
        folder = await self._found_again(known, str(runs[0].note.get("home")), runs) if known else None
        await (self._see_through(folder, runs) if folder else self._anew(runs))

    async def _found_again(self, known: str, home: str, runs: Sequence[Run]) -> RunFolder | None:
        """The run, if it goes on or has ended by itself; otherwise nothing of it does when this returns."""
        if home != self.runs.home_id:
            for run in runs:
                run.report("waits until its run on another machine has stopped")
            await asyncio.sleep(self._rest_seconds)
            return None
        folder = self.runs.find(known)
        if folder and not (folder.lives() or folder.ended()):
            await asyncio.to_thread(self.runs.clear, folder)  # its machine, or both of us, died in the middle
            return None
        return folder

    @property
    def _rest_seconds(self) -> float:
        """So long after its deployer's death a run that was left alone goes on at the most."""
        return self.settings.unattended_seconds + self.settings.grace_seconds + MARGIN_SECONDS

    # -- a new run ------------------------------------------------------------------------------------------------

    async def _anew(self, runs: Sequence[Run]) -> None:
        if not runs:
            return
        if planning.is_content_alone(runs[0].order):
            (run,) = runs
            await self._content_alone(run)
            return
        await self._each_behind(runs, await self.records.abandoned([run.order for run in runs]))

    async def _share(self, runs: Sequence[Run]) -> None:
        """One run for all of these, whose places are free."""
        try:
            await self._brought(runs)
        except Failed as failed:
            for run in runs:
                await run.end(failed.broken)

    async def _brought(self, runs: Sequence[Run]) -> None:
        hosts = await self._hosts(runs)
        ours = [run for run in runs if run.order.site in hosts]
        if not ours:
            return
        project = await self._unpacked(str(ours[0].order.bundle_sha256))
        if not planning.acts_of(ours[0].order):
            for run in ours:
                await run.end(Done("", "its bundle is at hand; it has no playbook for this"))
            return
        ours, content = await self.supply.bring(ours, hosts, project)
        if not ours:
            return
        name = uuid.uuid4().hex
        for run in ours:
            await self._write_down(run, name)
        here = {run.order.site: hosts[run.order.site] for run in ours}
        await self._see_through(await self._begin(name, ours, here, project, content), ours)

    async def _content_alone(self, run: Run) -> None:
        """One order that runs no playbook."""
        try:
            await run.end(await self.supply.carry_out(run, _hosts_of(run, set())))
        except Failed as failed:
            await run.end(failed.broken)

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
        """`changes`: whether the revision that the order ends with is what its place has then."""
        changes = run.order.action in OBLIGATORY
        await run.write_down(run=name, home=self.runs.home_id, changes=changes)

    async def _begin(
        self,
        name: str,
        runs: Sequence[Run],
        hosts: Mapping[str, Mapping[str, Host]],
        project: Path,
        content: Paths,
    ) -> RunFolder:
        given = planning.given_for([run.order for run in runs], hosts, str(project), self.settings, content)
        known = planning.known_hosts(pair for each in hosts.values() for pair in each.items())
        if lacking := missing_programs(over_ssh=given.job.over_ssh):
            raise Failed("tool_missing", f"not installed on the deployer's machine: {', '.join(lacking)}")
        with told_as_host_error():
            return await asyncio.to_thread(self.runs.begin, name, given, known)

    async def _unpacked(self, sha256: str) -> Path:
        with told_as_host_error():
            return await self.bundles.of(sha256)

    # -- behind a run that was given up ---------------------------------------------------------------------------

    async def _each_behind(self, runs: Sequence[Run], left: Mapping[str, Sequence[Left]]) -> None:
        """An older order of a place may have been given up while its run goes on, with nobody looking after it. Who
        must wait for such a run waits beside the others, and with those who wait for the same."""
        groups: dict[frozenset[str], list[Run]] = {}
        for run in runs:
            groups.setdefault(frozenset(each.run for each in left.get(run.order.site, ())), []).append(run)
        await side_by_side(self._behind(left.get(group[0].order.site, ()), group) for group in groups.values())

    async def _behind(self, left: Sequence[Left], runs: Sequence[Run]) -> None:
        if not left:
            return await self._share(runs)
        over = asyncio.ensure_future(self._end_abandoned(left, runs))
        try:
            free = await asyncio.gather(*(_is_free(run, over) for run in runs))
        finally:
            over.cancel()
            await asyncio.gather(over, return_exceptions=True)
        return await self._share([run for run, so in zip(runs, free, strict=True) if so])

    async def _end_abandoned(self, left: Sequence[Left], runs: Sequence[Run]) -> None:
        for each in left:
            for run in runs:
                run.report("waits until the run of an order before it has ended")
            if each.home != self.runs.home_id:
                await asyncio.sleep(max(self._rest_seconds - each.seconds, 0))
            elif folder := self.runs.find(each.run):
                await self._end_left(folder)

    async def _end_left(self, folder: RunFolder) -> None:
        """One that carries orders of other sites, too, goes on for a while: theirs were not given up.

        What outlives its runner would go on beside the way back, and whoever is to find the folder may not come soon.
        """
        patience = Patience(self.settings.shared_seconds if folder.id in await self.records.wanted() else 0)
        with suppress(FileNotFoundError):  # whoever sees it through clears it away
            try:
                await attend(folder, lambda _: folder.stop.touch() if patience.is_over() else None)
            except RunnerDied:
                await asyncio.to_thread(self.runs.end, folder)
        await self._leave(folder)

    # -- a run under way ------------------------------------------------------------------------------------------

    async def _see_through(self, folder: RunFolder, runs: Sequence[Run]) -> None:
        """Look after a run until it ends. When this is cancelled the run goes on, for whoever finds it again."""
        patience = Patience(self.settings.shared_seconds)
        try:
            story = await attend(folder, lambda story: self._hear(folder, story, runs, patience))
        except RunnerDied as died:
            await asyncio.to_thread(self.runs.clear, folder)
            return await self._anew([run for run in runs if not await self._end_dead(run, died)])
        self.tasks[_kind(story)] = story.tasks
        again = [run for run in runs if not await self._end(run, story)]
        await self._leave(folder)
        if again:
            await self._anew(again)
        return None

    def _hear(self, folder: RunFolder, story: Story, runs: Sequence[Run], patience: Patience) -> None:
        detail, percent = story.progress(self.tasks.get(_kind(story)))
        for run in runs:
            run.report(detail, percent)
        cancelled = {run.order.site for run in runs if run.cancelled}
        if cancelled and (cancelled >= set(story.sound()) or patience.is_over()) and not folder.stop.exists():
            folder.stop.touch()

    async def _end(self, run: Run, story: Story) -> bool:
        """Whether the order has ended with its run; not, where the run stopped for a reason that is none of its own."""
        broken = story.result(run.order.site)
        if broken and (broken.code == "unattended" or (broken.code == "cancelled" and not run.cancelled)):
            return False
        await run.end(broken or _done(run, story))
        return True

    async def _end_dead(self, run: Run, died: RunnerDied) -> bool:
        """Whether the order has ended with its runner, the last of several that died."""
        deaths = run.note.get("deaths", 0) + 1
        await run.write_down(deaths=deaths)
        if deaths >= MOST_DEATHS:
            await run.end(Broken("runner_died", f"its runner died {deaths} times", tuple(died.lines)))
        return bool(deaths >= MOST_DEATHS)

    async def _leave(self, folder: RunFolder) -> None:
        """Clear the run away, unless an order in other hands is still to be told by it."""
        if folder.id not in await self.records.wanted():
            await asyncio.to_thread(self.runs.clear, folder)


@dataclass(slots=True)
class Patience:
    """How long a run goes on for others, from when it was first found to stand in the way of a site.

    That site's way back has a time (recovery_seconds), behind which it would be lost with nothing wrong there.
    """

    seconds: float
    _until: float | None = None

    def is_over(self) -> bool:
        """Whether it stops now; asked for the first time, the time begins."""
        if self._until is None:
            self._until = time.monotonic() + self.seconds
        return time.monotonic() >= self._until


async def side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of it to its end, whatever becomes of one. Raises what the first raised that failed."""
    for failure in await asyncio.gather(*work, return_exceptions=True):
        if failure:
            raise failure


async def _is_free(run: Run, over: asyncio.Future[None]) -> bool:
    """Whether its place is, once that is over; an order that is cancelled before has ended with this."""
    try:
        await unless_cancelled(run, asyncio.shield(over))
    except Failed as failed:
        await run.end(failed.broken)
        return False
    return True


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


def _done(run: Run, story: Story) -> Done:
    order = run.order
    hosts = len(story.job.sites[order.site])
    said = f"{hosts} host{'s' if hosts > 1 else ''}"
    if order.action not in ("apply", "rollback"):
        return Done("", said, sent_for(run))
    facts = {**planning.facts_in(order.revision), **story.facts_of(order.site)}
    return Done(planning.revision_of(order, facts), said, sent_for(run))
