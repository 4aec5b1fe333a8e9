"""People set, change and drop values at all levels, and have them deployed: by hand, and by strategies."""

import asyncio
from typing import Any

from shared.messages.deployer import ClearOverrides, RestoreOverrides, SetOverrides
from shared.messages.strategy import ApplyStrategy, CreateStrategy, Selection, StrategySpec
from shared.messages.words import StrategyType
from tests.faults.evidence import Asked
from tests.faults.strands import SOUND, Strand

SITES = 6
OVER = ("complete", "failed", "aborted")
RELEASED = {"port": 80, "log": {"level": "info", "format": "json"}}
"""Values of the releases themselves: overrides go over and under them."""


async def play(strand: Strand) -> None:
    """Until the round ends."""
    await strand.register(SITES, group=strand.app)
    await strand.each("apply", await strand.release(SOUND, RELEASED))
    acts = _Acts(strand)
    await strand.go_on((acts.set_and_reapply, acts.over_a_strategy, acts.reset, acts.update, acts.restore, acts.race))


class _Acts:
    """What people do."""

    def __init__(self, strand: Strand) -> None:
        self.strand = strand

    async def set_and_reapply(self) -> None:
        """At some level, and then each site brings it with the next deployment."""
        await self._set(self._level())
        await self.strand.each("apply", only_changes=True)

    async def over_a_strategy(self) -> None:
        """The same, and a strategy brings it; what is set for the lane's own app comes with the lane's strategies."""
        await self._set(self._level(), clears=False)
        await self._set("fleet", app=self.strand.lane)
        await self._reapply_all()

    async def reset(self) -> None:
        """What is set for a site alone is dropped by an operation of it."""
        site = self.strand.random.choice(self.strand.sites)
        await self._set("site", site)
        await self.strand.do(site, "apply", self.strand.runs(site), reset_overrides=True)

    async def update(self) -> None:
        """Releases come and go, what is set stays."""
        await self._set("group")
        await self.strand.each("update", await self.strand.release(SOUND, {**RELEASED, "release": self.strand.made}))
        if self.strand.random.random() < 0.3:
            await self.strand.each("rollback")

    async def restore(self) -> None:
        """What was set first at a place is set there again, or nothing is."""
        level, target = self._place(self._level())
        place = {"app": self.strand.app, "level": level, "target": target, "component": "web"}
        if self.strand.random.random() < 0.5:
            await self.strand.ask(RestoreOverrides.model_validate({**place, "nth": 1}))
        else:
            await self.strand.ask(ClearOverrides.model_validate(place))
        await self.strand.each("apply", only_changes=True)

    async def race(self) -> None:
        """Several at once at one place, while a site is deployed."""
        site = self.strand.random.choice(self.strand.sites)
        changes = [self._set("site", site) for _ in range(3)]
        await asyncio.gather(*changes, self.strand.do(site, "apply", only_changes=True))
        await self.strand.do(site, "apply", only_changes=True)

    async def _set(self, level: str, target: str | None = None, *, app: str = "", clears: bool = True) -> None:
        strand, app = self.strand, app or self.strand.app
        level, target = self._place(level, target)
        place = {"app": app, "level": level, "target": target, "component": "web"}
        command = SetOverrides.model_validate(
            {**place, "values": self._values(), "replace": strand.random.random() < 0.2}
        )
        body = command.model_dump(mode="json", exclude={"app", "component"})
        await strand.ask(command, f"/v1/apps/{app}/overrides/web", body)
        if clears and strand.random.random() < 0.15:
            await strand.ask(ClearOverrides.model_validate(place))

    def _values(self) -> dict[str, Any]:
        random = self.strand.random
        leaf = random.choice(
            (random.getrandbits(20), None, ["a", random.getrandbits(8)], {"deep": random.getrandbits(8)})
        )
        return {
            random.choice(("port", "log", "colour")): leaf,
            "log": {"level": random.choice(("debug", None, "error"))},
        }

    def _level(self) -> str:
        return self.strand.random.choice(("fleet", "group", "site"))

    def _place(self, level: str, target: str | None = None) -> tuple[str, str | None]:
        targets = {"fleet": None, "group": self.strand.app, "site": target or self.strand.sites[0]}
        return level, targets[level]

    async def _reapply_all(self) -> None:
        strand = self.strand
        name = f"{strand.app}-reapply-{strand.random.getrandbits(32):08x}"
        spec = StrategySpec(
            name=name,
            type=StrategyType.APPLY,
            app=strand.app,
            selection=Selection(sites=tuple(strand.sites)),
            max_parallel=3,
            only_changes=True,
        )
        identifier = await strand.must(CreateStrategy(spec=spec), "not_deployed")
        strand.asked.append(Asked(id=identifier, name=name, max_parallel=3, sites=len(strand.sites)))
        await strand.ask(ApplyStrategy(strategy=identifier), f"/v1/strategies/{identifier}/apply", {})
        state = strand.watch.states
        await strand.until(lambda: state.get(identifier, (0, ""))[1] in OVER or None, f"the end of strategy {name}")
