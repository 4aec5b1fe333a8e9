"""What goes by itself: devices break and are put right, releases come by themselves, a bad one only once."""

import asyncio

from shared.messages.deployer import ClearFailedRelease, ReapplyApp, SetAppBehaviour, SetOverrides
from tests.faults.strands import Strand

SITES = 5
EVERY_DEVICE_FAILS = (1.0, 0.0, 0.0)
LOOK_SECONDS = 0.5
MOST_LOOKS = 360


async def play(strand: Strand) -> None:
    """Until the round ends; then nothing of it goes by itself any more."""
    await strand.register(SITES)
    await strand.release()
    acts = _Acts(strand)
    await acts.switch(desired_state="deployed", deployed_on={"sites": strand.sites}, auto_update=True)
    await acts.everywhere()
    try:
        await strand.go_on((acts.fall, acts.bad, acts.reapply, acts.newer, acts.absent))
    finally:
        await acts.leave_alone()


class _Acts:
    """What happens."""

    def __init__(self, strand: Strand) -> None:
        self.strand = strand

    async def switch(self, **switches: object) -> None:
        behaviour = {"app": self.strand.app, "switches": {"reapply_on": [{"event": "overrides_changed"}], **switches}}
        await self.strand.must(SetAppBehaviour.model_validate(behaviour), "unknown_app")

    async def leave_alone(self) -> None:
        names = ("desired_state", "deployed_on", "auto_update", "reapply_on")
        behaviour = {"app": self.strand.app, "as_released": names}
        await self.strand.client.ask(SetAppBehaviour.model_validate(behaviour), self.strand.new_id())

    async def everywhere(self) -> None:
        """The newest release runs on all sites."""
        await self.strand.all_run(f"{self.strand.made}.0.0")

    async def fall(self) -> None:
        """Some devices lose what runs there; all of them run again, without anybody's doing."""
        strand = self.strand
        some = strand.random.sample(strand.sites, strand.random.randint(1, 3))
        await strand.devices.take_away(some, strand.app)
        for _ in range(MOST_LOOKS):
            if all([await strand.devices.runs(site) for site in some]):
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise TimeoutError(f"nothing put {some} right")

    async def newer(self) -> None:
        """A release comes to all sites by itself."""
        await self.strand.release()
        await self.everywhere()

    async def bad(self) -> None:
        """One that fails everywhere is barred, and again after somebody has cleared it; a better one comes."""
        strand = self.strand
        version = await strand.release(EVERY_DEVICE_FAILS)
        await self._barred(version, 0)
        if strand.random.random() < 0.6:
            told = strand.watch.barred[strand.app, version][0]
            path = f"/v1/failed-releases/{strand.app}/{version}/clear"
            if await strand.ask(ClearFailedRelease(app=strand.app, version=version), path, {}):
                await self._barred(version, told)
        await self.newer()

    async def _barred(self, version: str, after: int) -> None:
        """Told to be barred by a word later than that number."""
        release, barred = (self.strand.app, version), self.strand.watch.barred

        def so() -> bool:
            nth, is_barred = barred.get(release, (0, False))
            return is_barred and nth > after

        await self.strand.until(lambda: so() or None, f"that {version} is barred")

    async def reapply(self) -> None:
        """On demand, and when what is set changes."""
        strand = self.strand
        path = f"/v1/apps/{strand.app}/reapply"
        await strand.ask(ReapplyApp(app=strand.app, reason="certificates"), path, {"reason": "certificates"})
        values = {"seen": strand.random.getrandbits(16)}
        await strand.ask(SetOverrides(app=strand.app, level="fleet", component="web", values=values))

    async def absent(self) -> None:
        """It is taken off everywhere, and comes again."""
        await self.switch(desired_state="absent")
        await self.strand.all_run(None)
        await self.switch(desired_state="deployed")
        await self.everywhere()
