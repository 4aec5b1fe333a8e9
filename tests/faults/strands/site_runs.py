"""All apps of a site are brought up to date and taken back, some runs are cancelled, some fall half-way."""

import asyncio
from typing import Any, Literal

from shared.messages.deployer import CancelAll, RequestAll
from tests.faults.strands import SOUND, Strand

SITES = 3
APPS = 3
FAILS_OFTEN = (0.4, 0.0, 0.1)
Kind = Literal["update", "rollback"]


async def play(strand: Strand) -> None:
    """Until the round ends."""
    await strand.register(SITES)
    acts = _Acts(strand)
    await acts.publish(SOUND)
    await asyncio.gather(*(acts.deploy(site) for site in strand.sites))
    await strand.go_on((acts.update, acts.rollback, acts.fall, acts.cancel))


class _Acts:
    """What people do."""

    def __init__(self, strand: Strand) -> None:
        self.strand = strand
        self.apps = [f"{strand.app}-{number}" for number in range(APPS)]

    async def publish(self, chances: tuple[float, float, float]) -> None:
        """A release of each app."""
        version = self.strand.next_version()
        for app in self.apps:
            await self.strand.client.publish(app, version, self.strand.random, chances)

    async def deploy(self, site: str) -> None:
        for app in self.apps:
            await self.strand.do(site, "apply", "1.0.0", app=app)

    async def update(self) -> None:
        await self.publish(SOUND)
        await self._on_all("update")

    async def rollback(self) -> None:
        await self._on_all("rollback")

    async def fall(self) -> None:
        """Some of the releases fail on some sites: a run stops there, or goes on."""
        await self.publish(FAILS_OFTEN)
        await self._on_all("update")

    async def cancel(self) -> None:
        """Somebody stops a run; it may be over by then."""
        await self.publish(SOUND)
        site = self.strand.random.choice(self.strand.sites)
        run = await self._begin(site, "update")
        await asyncio.sleep(self.strand.random.uniform(0, 1.5))
        if run:
            path = f"/v1/site-runs/{run}/cancel"
            await self.strand.ask(CancelAll(site=site, run_id=run, reason="wrong site"), path, {"reason": "wrong site"})
            await self._over(run)

    async def _on_all(self, kind: Kind) -> None:
        runs = await asyncio.gather(*(self._begin(site, kind) for site in self.strand.sites))
        await asyncio.gather(*(self._over(run) for run in runs if run))

    async def _begin(self, site: str, kind: Kind) -> str | None:
        on_failure: Literal["stop", "go_on"] = self.strand.random.choice(("stop", "go_on"))
        command = RequestAll(site=site, kind=kind, on_failure=on_failure)
        body = command.model_dump(mode="json", exclude={"site"})
        return await self.strand.ask(command, f"/v1/sites/{site}/run-all", body)

    async def _over(self, run: str) -> dict[str, Any]:
        return await self.strand.until(lambda: self.strand.watch.site_runs.get(run), f"the report of run {run}")
