"""One order, step by step. Each step finds out from the engine how far an earlier run of the order came.

The new container begins under a name of the order's own. The name of the place changes hands once it is proven: until
then the old one is the proven one, and whoever fails, is cancelled or was killed puts it back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from services.deployer.drivers import Done
from services.deployer.drivers.container import around, images, strangers
from services.deployer.drivers.container.definition import Definition, before_of, images_before, recorded_of
from services.deployer.drivers.container.differences import conflicts, differences
from services.deployer.drivers.container.engine import Engine, state_of
from services.deployer.drivers.container.images import Source
from services.deployer.drivers.container.names import Place, Seen, Standing, standing
from services.deployer.drivers.container.proof import look, prove
from services.deployer.drivers.container.request import body_of
from services.deployer.drivers.container.verdict import environment_of, restarts_of
from services.deployer.drivers.durable.run import Run, unless_cancelled
from services.deployer.drivers.failed import Failed
from shared.core.retrying import back_offs, pause

RESUME = "resume"
"""In what is written down of an order: the container that was stopped for it, and is started again if it fails."""

WAITS = 10
"""For a container that another request makes, about ten seconds."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """An order on its engine. No other order of the place is carried out meanwhile."""

    run: Run
    engine: Engine
    source: Source
    wanted: Definition
    keep: int
    """Images that stay on the engine for rollbacks, beside the one that runs."""

    @property
    def place(self) -> Place:
        return self.wanted.place

    async def reach(self) -> Done:
        """Bring the wanted container to run, proven, in place of what runs. Raises Failed: all is as it was before."""
        there = await self._standing()
        if there.finished:
            return await self._finish(there)
        try:
            kept = await self._keep_or_replace(there)
        except Failed:
            await self._put_back()
            raise
        return kept or await self._finish(await self._standing())

    async def _keep_or_replace(self, there: Standing) -> Done | None:
        self._safe_point()
        image = await unless_cancelled(self.run, images.have(self.engine, self.wanted, self.source))
        stays = await self._clear(there.strays)
        if there.own is None and there.current and await self._same(there.current, image.id):
            return await self._keep(there.current, stays)
        await self._clear_name(there)
        await around.refuse_strangers(self.engine, self.wanted)
        await self._replace(there, image.name)
        return None

    async def _clear_name(self, there: Standing) -> None:
        """Of one that Belay did not make: set aside where it is ours made anew by hand, else left alone."""
        stranger = await strangers.under_name(self.engine, self.place, self.wanted.image)
        if stranger is None:
            return
        if there.current or not stranger.remade:
            raise Failed("name_taken", stranger.told)
        await strangers.set_aside(self.run, self.engine, self.place, stranger)

    async def _standing(self) -> Standing:
        return standing(self.place, self.run.order.key, await self.engine.at(self.place))

    async def _same(self, current: Seen, image_id: str) -> bool:
        """Whether nothing of the container differs from what is wanted. One that is on its way out never runs again."""
        shown = await self.engine.show(current.id)
        if shown is None or state_of(shown) == "removing":
            return False
        if shown.get("Image", "").removeprefix("sha256:") != image_id.removeprefix("sha256:"):
            return False
        wanted = self.wanted
        return not differences(current.labels, environment_of(shown), wanted.fields, wanted.site_environment)

    async def _keep(self, current: Seen, stays: Sequence[str]) -> Done:
        """It is what is wanted already: it only has to run, and to be well."""
        self.run.report("nothing differs", 80)
        await self._named(current, self.place.name)
        await self.engine.start(current.id)
        before = restarts_of(await self.engine.show(current.id))  # by its policy, perhaps weeks ago
        await prove(self.engine, current.id, self.wanted, self._safe_point, before)
        return self._done(stays)

    async def _replace(self, there: Standing, image: str) -> None:
        reasons = why_not_beside(there.current, self.wanted)
        found = bool(reasons) or not there.current
        own = await self._own(there, image, found=found)
        if there.current and there.current.active and reasons:
            self._safe_point()
            self.run.report(f"stops the old container: {reasons[0]}", 40)
            await self.run.write_down(**{RESUME: there.current.id})
            await self.engine.stop(there.current.id)
        self.run.report("starts the new container", 50)
        await self.engine.start(own)
        self.run.report("waits until it is healthy", 60)
        await prove(self.engine, own, self.wanted, self._safe_point)
        await self._move(there.current, own)

    async def _own(self, there: Standing, image: str, *, found: bool) -> str:
        """The order's own container beside the old one; `found` = by its aliases from the start.

        In all its networks before it starts, also where who made it was killed before it had joined them.
        """
        self.run.report("makes the new container", 30)
        await around.prepare(self.engine, self.wanted)
        own = there.own.id if there.own else await self._make(there.current, image, found=found)
        networks = self.wanted.fields["networks"]
        await around.join(self.engine, own, {name: a if found else [] for name, a in networks.items()})
        return own

    async def _make(self, current: Seen | None, image: str, *, found: bool) -> str:
        before = images_before(current, self.wanted, self.keep)
        body = body_of(self.wanted, self.run.order.key, before, image, found=found, podman=self.engine.podman)
        return await self._created(body)

    async def _created(self, body: Mapping[str, Any]) -> str:
        name = self.place.own_name(self.run.order.key)
        try:
            return await self.engine.create(name, body)
        except Failed as failed:
            # Asked twice: the engine goes on with what a killed process asked it for. Docker keeps the name for that
            # one from the beginning, and lists it once it is made.
            for seconds in islice(back_offs(), WAITS if name in failed.broken.message else 1):
                if own := (await self._standing()).own:
                    return own.id
                await pause(seconds)
            raise

    async def _move(self, current: Seen | None, own: str) -> None:
        """The new container is proven: it gets the aliases, and then the name by which it counts as proven."""
        self.run.report("moves traffic to the new container", 90)
        await around.join(self.engine, own, self.wanted.fields["networks"])
        seen = await look(self.engine, own)
        if seen.over:
            raise Failed("exited", seen.why, await self.engine.last_lines(own))
        if current:
            await self._named(current, self.place.old_name)
        await self.engine.rename(own, self.place.name)

    async def _named(self, seen: Seen, name: str) -> None:
        if seen.name != name:
            await self.engine.rename(seen.id, name)

    async def _finish(self, there: Standing) -> Done:
        """The new container has the name: what was before goes, with the images that no rollback needs."""
        stays = [why for seen in there.strays if (why := await self._take_away(seen))]
        if there.current:
            await self.engine.start(there.current.id)  # its engine may have ended in between
        await images.let_go(self.engine, {image for stray in there.strays for image in before_of(stray)})
        return self._done(stays)

    async def _take_away(self, seen: Seen) -> str:
        """Take a container away; why it stays where the engine refuses.

        Stopped as it is, it is no reason to give up what is proven, and the next order tries again.
        """
        await self.engine.stop(seen.id)
        try:
            await self.engine.delete(seen.id)
        except Failed as failed:
            return f"the old container {seen.name} is stopped, and stays: {failed.broken.message}"
        return ""

    async def _clear(self, strays: Sequence[Seen]) -> list[str]:
        """Take strays away; why those stay that the engine does not delete. They keep nobody from running, nor from
        their names: the way back, too, may meet one."""
        stays = []
        for seen in strays:
            if why := await self._take_away(seen):
                await self._named(seen, self.place.left_name(seen.id))
                stays.append(why)
        return stays

    async def _put_back(self) -> None:
        """All as it was before the order: its container goes, and the one that it stopped runs again."""
        there = await self._standing()
        if there.finished:
            return
        if there.own:
            await self._take_away(there.own)  # told by what failed before; what ran must run again all the same
        if there.current:
            await self._named(there.current, self.place.name)
            if self.run.note.get(RESUME) == there.current.id:
                await self.engine.start(there.current.id)
        else:
            await strangers.put_back(self.run, self.engine, self.place)
            await around.clear_networks(self.engine, self.place)

    def _safe_point(self) -> None:
        if self.run.cancelled:
            raise Failed("cancelled", "the order was cancelled")

    def _done(self, stays: Sequence[str] = ()) -> Done:
        told = [f"runs {self.wanted.image.by_digest}", *stays]
        if aside := self.run.note.get(strangers.ASIDE):
            told.append(f"what was made by hand is kept, stopped, as {self.place.aside_name(aside['id'])}")
        return Done(self.wanted.revision, "; ".join(told))


def why_not_beside(current: Seen | None, wanted: Definition) -> list[str]:
    """Why the old container must be stopped before the new one starts; empty = they may run side by side. Pure."""
    if current is None or wanted.spec.beside:
        return []
    if wanted.spec.beside is False:
        return ["the spec says that the two must not run side by side"]
    return conflicts(recorded_of(current), wanted.fields)
