"""Strands of a lane: what people, and the deployer by itself, do to single sites while strategies roll over others.

Each has an app and a few sites of its own. It plays its main thing once, however short the round, and then goes on with
what it draws until the round ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from shared.messages.base import Command
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import CreateGroup, RegisterSites, Site
from tests.faults.command_client import Chances, CommandClient, Refused, Values
from tests.faults.devices import Devices
from tests.faults.evidence import Asked
from tests.faults.watch import Watch

END_SECONDS = 180.0
"""What has not ended by then is stuck."""

LEAST = 3
"""Acts that are played however short the round."""

SOUND: Chances = (0.0, 0.0, 0.0)
T = TypeVar("T")


class Stuck(Exception):
    """Work did not come to its end in time; the message says which."""


@dataclass
class Strand:
    """An app, its sites, and the ways to ask for things. `asked` are the strategies of the whole lane."""

    lane: str
    app: str
    random: Random
    client: CommandClient
    watch: Watch
    devices: Devices
    stop: asyncio.Event
    asked: list[Asked]
    sites: list[str] = field(default_factory=list)
    made: int = 0

    # -- asking ------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    async def ask(self, command: Command, path: str = "", body: Any = None) -> str | None:
        """The id of the command where it was accepted: over Kafka, or half of the time over HTTP if a path is given."""
        identifier, over = self.new_id(), self.random.choice(("", path))
        try:
            await self.client.ask(command, identifier, over, body)
        except Refused:
            return None
        return identifier

    async def must(self, command: Command, code: str) -> str:
        """The id of a command that is refused with this code until what was made before is known. Raises Stuck."""
        for _ in range(40):
            identifier = self.new_id()
            try:
                await self.client.ask(command, identifier)
            except Refused as refused:
                if refused.code != code:
                    raise
                await asyncio.sleep(0.3)
                continue
            return identifier
        raise Stuck(f"{self.app}: {command.TYPE} was never accepted")

    async def do(self, site: str, kind: str, version: str | None = None, **facts: Any) -> dict[str, Any] | None:
        """An operation and its end; None where it was refused. What only lacks a release that is news comes again."""
        request = {"site": site, "app": self.app, "kind": kind, "version": version, **facts}
        for _ in range(40):
            identifier = self.new_id()
            try:
                await self.client.ask(RequestOperation.model_validate(request), identifier)
            except Refused as refused:
                if refused.code not in ("unknown_release", "unknown_app", "unknown_site", "site_busy"):
                    return None
                await asyncio.sleep(0.3)
                continue
            return await self.end(identifier)
        raise Stuck(f"{kind} of {self.app} on {site} was never accepted")

    async def each(self, kind: str, version: str | None = None, **facts: Any) -> None:
        """The same on all sites at once."""
        await asyncio.gather(*(self.do(site, kind, version, **facts) for site in self.sites))

    # -- waiting -----------------------------------------------------------------------------------------------

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        """As soon as it is found. Raises Stuck."""
        try:
            return await self.watch.wait(look, END_SECONDS)
        except TimeoutError as error:
            raise Stuck(f"{self.app}: {what} has not come within {END_SECONDS:g} s") from error

    async def end(self, operation: str) -> dict[str, Any]:
        return await self.until(lambda: self.watch.ends.get(operation), f"the end of operation {operation}")

    async def all_run(self, version: str | None) -> None:
        """Until all sites run a release; None = nothing."""
        await self.until(
            lambda: all(self.runs(site) == version for site in self.sites) or None, f"{version} everywhere"
        )

    def runs(self, site: str) -> str | None:
        """The release that runs on a site, as far as was told."""
        return self.watch.runs.get((site, self.app), (0, None))[1]

    # -- making ------------------------------------------------------------------------------------------------

    async def register(self, count: int, group: str | None = None) -> None:
        """Sites of its own; every other one belongs to the group."""
        if group:
            await self.ask(CreateGroup(name=group, max_parallel="50%"))
        self.sites = [f"{self.app}-{number}" for number in range(count)]
        groups = [group if number % 2 == 0 else None for number in range(count)]
        sites = [Site(name=n, connections={"simulated": {}}, group=g) for n, g in zip(self.sites, groups, strict=True)]
        await self.client.ask(RegisterSites(sites=tuple(sites)), self.new_id())

    def next_version(self) -> str:
        self.made += 1
        return f"{self.made}.0.0"

    async def release(self, chances: Chances = SOUND, values: Values | None = None) -> str:
        """A new release of the app, which may be deployed."""
        version = self.next_version()
        await self.client.publish(self.app, version, self.random, chances, values)
        return version

    async def go_on(self, acts: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """All of them once, in this order, then any of them, until it ends; the first three in any case."""
        for number, act in enumerate(acts):
            if number < LEAST or not self.stop.is_set():
                await act()
        while not self.stop.is_set():
            await self.random.choice(acts)()


Play = Callable[[Strand], Awaitable[None]]
