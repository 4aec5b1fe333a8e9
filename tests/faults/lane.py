"""The work that goes on while things break: each lane rolls one app over sites of its own, again and again."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from shared.messages.deployer import RequestOperation
from shared.messages.strategy import (
    BATCH,
    AbortStrategy,
    ApplyStrategy,
    CreateGroup,
    CreateStrategy,
    DeleteStrategy,
    FailurePolicy,
    PauseStrategy,
    RegisterSites,
    ResumeStrategy,
    RetryFailed,
    Selection,
    Site,
    SkipSteps,
    StageSpec,
    StrategySpec,
)
from shared.messages.words import OperationKind, StrategyType
from tests.faults.command_client import CommandClient, Refused
from tests.faults.devices import Devices
from tests.faults.evidence import Asked
from tests.faults.strands import Play, Strand, Stuck
from tests.faults.unsettling import unsettle
from tests.faults.watch import Watch

END_SECONDS = 240.0
"""A strategy that has not ended by then is stuck."""

STEP_SECONDS = 6
"""A device that says nothing for so long is given up."""

GOOD = (0.002, 0.001, 0.002)
BAD = (0.04, 0.01, 0.03)
"""Chances that a device fails, hangs or crashes."""

SHARED = "shared"
"""The group that has sites of every lane: its limit holds over their strategies together."""

ENDED = ("complete", "failed", "aborted")
VERBS: dict[str, Callable[..., Any]] = {
    "apply": ApplyStrategy,
    "pause": PauseStrategy,
    "resume": ResumeStrategy,
    "abort": AbortStrategy,
    "retry": RetryFailed,
}


@dataclass
class Lane:
    """One app on `sites` sites. `stop` lets the strategy under way come to its end."""

    name: str
    sites: int
    random: Random
    client: CommandClient
    watch: Watch
    devices: Devices
    stop: asyncio.Event
    strands: Mapping[str, Play] = field(default_factory=dict)
    """What goes on beside the strategies, by the word for it."""
    asked: list[Asked] = field(default_factory=list)
    made: int = 0
    current: str = ""
    """The strategy under way."""
    retried: bool = False
    _names: list[str] = field(default_factory=list)
    """Of its sites."""

    async def run(self) -> None:
        """Register, apply, and go on with updates and roll-backs until stopped. Raises Stuck."""
        await self._register()
        unsettling = asyncio.create_task(unsettle(self._names, self.random, self.client, self.stop))
        strands = [asyncio.create_task(play(self._strand(word))) for word, play in self.strands.items()]
        try:
            await self._go_on()
        finally:
            ends = await asyncio.gather(unsettling, *strands, return_exceptions=True)
        for broke in ends[1:]:
            if isinstance(broke, BaseException):
                raise broke

    def _strand(self, word: str) -> Strand:
        draw = Random(f"{self.name}/{word}/{self.random.getrandbits(64)}")  # noqa: S311 - one of its own
        around = self.client, self.watch, self.devices, self.stop, self.asked
        return Strand(self.name, f"{self.name}-{word}", draw, *around)

    async def _go_on(self) -> None:
        version = await self._release(GOOD)
        await self._roll("prestage", version)  # first of all, so that a short round comes to it, too
        await self._roll("apply", version)
        while not self.stop.is_set():
            match self.random.choices(("update", "ahead", "bad", "rollback", "again", "remove"), (4, 4, 3, 2, 2, 1))[0]:
                case "update":
                    await self._roll("update", await self._release(GOOD))
                case "ahead":
                    await self._ahead(await self._release(GOOD))
                case "remove":
                    await self._roll("remove", None)
                    await self._roll("apply", f"{self.made}.0.0")
                case "bad":
                    await self._roll("update", await self._release(BAD))
                case "rollback":
                    await self._roll("rollback", None)
                case _:
                    await self._roll("apply", f"{self.made}.0.0", force=True)

    async def _ahead(self, version: str) -> None:
        """Bring a release to all sites ahead of time, and to one of them by hand, before they are updated to it."""
        site = self.random.choice(self._names)
        by_hand = RequestOperation(site=site, app=self.name, kind=OperationKind.PRESTAGE, version=version)
        if self.random.random() < 0.5:
            await self._command(by_hand, "", None)
        await self._roll("prestage", version)
        await self._command(by_hand, "", None)
        await self._roll("update", version)

    async def cut_short(self) -> None:
        """Abort what is under way, as an operator would."""
        await self._verb("abort", self.current)

    async def _register(self) -> None:
        for group in (self.name, SHARED):
            with suppress(Refused):  # another lane made it
                await self.client.ask(CreateGroup(name=group, max_parallel="10%"), self._id())
        await self.client.keep_secret(self._secret, f"{self.name}-{self._id()}", self._id())
        sites = [self._site(number) for number in range(self.sites)]
        self._names = [site.name for site in sites]
        for start in range(0, self.sites, BATCH):
            await self.client.ask(RegisterSites(sites=tuple(sites[start : start + BATCH])), self._id())

    def _site(self, number: int) -> Site:
        """One in four belongs to a group of the lane, one in eight to the one that all lanes share."""
        group = (self.name, SHARED, None, None, self.name, None, None, None)[number % 8]
        name, labels = f"{self.name}-{number:04}", {"lane": self.name}
        connections = {"simulated": {"password": {"secret": self._secret}}}
        return Site(name=name, connections=connections, labels=labels, group=group)

    @property
    def _secret(self) -> str:
        """What the connections of its sites name: its value must be in no topic, table or log."""
        return f"{self.name}-password"

    async def _release(self, chances: tuple[float, float, float]) -> str:
        self.made += 1
        version = f"{self.made}.0.0"
        await self.client.publish(self.name, version, self.random, chances)
        return version

    def _id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    # -- one strategy ----------------------------------------------------------------------------------------------

    async def _roll(self, kind: str, version: str | None, *, force: bool = False) -> None:
        """Create a strategy, apply it, meddle with it, and see it to its end."""
        identifier = await self._create(kind, version, force)
        if identifier is None:
            return
        self.current = identifier
        await self._verb("apply", identifier)
        meddle = self.random.choices(("", "pause", "abort", "abort now", "skip", "retry some"), (5, 2, 1, 1, 1, 2))[0]
        if meddle:
            await asyncio.sleep(self.random.uniform(0.2, 3))
            await self._meddle(meddle, identifier)
        state = await self._end(identifier)
        again = self.random.random() < 0.6 or not self.retried  # the first of all, for a short round
        if state != "complete" and again and not self.stop.is_set():
            self.retried = True
            before = self.watch.states[identifier][0]
            by_name = self.random.random() < 0.5
            if await (self._retry_some(identifier) if by_name else self._verb("retry", identifier)):
                await self._end(identifier, before)  # told also where it ended at once, as all sites are offline
        if self.random.random() < 0.2:
            await self._command(DeleteStrategy(strategy=identifier), "", None)

    async def _meddle(self, how: str, identifier: str) -> None:
        some = tuple(self.random.sample(self._names, 3))
        match how:
            case "abort now":
                await self._command(AbortStrategy(strategy=identifier, now=True), "", None)
            case "skip":
                await self._command(SkipSteps(strategy=identifier, sites=some, reason="not these"), "", None)
            case "retry some":
                await self._retry_some(identifier)
            case verb:
                await self._verb(verb, identifier)

    async def _retry_some(self, identifier: str) -> bool:
        """Try some of what failed until now once more, by name; soon after a pause as well as while it goes on."""
        if self.random.random() < 0.3:
            await self._verb("pause", identifier)
        failed = sorted(self.watch.failed[identifier])
        some = tuple(self.random.sample(failed, min(len(failed), self.random.randint(1, 5))))
        path = self.random.choice(("", f"/v1/strategies/{identifier}/retry"))
        command = RetryFailed(strategy=identifier, sites=some)
        return bool(some) and await self._command(command, path, {"sites": list(some)})

    async def _create(self, kind: str, version: str | None, force: bool) -> str | None:
        """The id of the new strategy, None when there is nothing to do. A release that is news is asked for again."""
        for _ in range(40):
            spec = self._spec(kind, version, force)
            identifier = self._id()
            try:
                body = spec.model_dump(mode="json")
                path = self.random.choice(("", "/v1/strategies"))
                await self.client.ask(CreateStrategy(spec=spec), identifier, path, body)
            except Refused as refused:
                await asyncio.sleep(0.3)
                if refused.code in {"unknown_release", "unknown_app", "site_held", "site_busy"}:
                    continue
                return None
            asked = Asked(id=identifier, name=spec.name, max_parallel=spec.max_parallel, sites=self.sites)
            self.asked.append(asked)
            return identifier
        raise Stuck(f"lane {self.name}: {kind} {version} was never accepted")

    def _spec(self, kind: str, version: str | None, force: bool) -> StrategySpec:
        random = self.random
        policy = random.choice(
            (
                FailurePolicy(stop_on_failure=False),
                FailurePolicy(stop_on_failure=False, threshold="20%", min_sample=20),
                FailurePolicy(stop_on_failure=False, threshold=random.randint(3, 9), then="pause"),
                FailurePolicy(stop_on_failure=random.random() < 0.2),
            )
        )
        canary = StageSpec(name="canary", take=random.randint(1, 20), soak_seconds=random.randint(0, 1))
        half = StageSpec(
            name="half", take="50%", max_parallel=random.choice(("10%", "40%", None)), soak_seconds=1, optional=True
        )
        stages = random.choice(((), (canary,), (canary, half)))
        return StrategySpec(
            name=f"{self.name}-{kind}-{random.getrandbits(32):08x}",
            type=StrategyType(kind),
            app=self.name,
            version=version,
            selection=Selection(labels={"lane": self.name}),
            stages=(*stages, StageSpec(name="rest", optional=True)),
            max_parallel=random.choice((max(20, self.sites // 20), max(50, self.sites // 10), "10%", "25%")),
            on_failure=policy,
            step_timeout_seconds=STEP_SECONDS,
            force=force,
        )

    async def _verb(self, verb: str, identifier: str) -> bool:
        """Ask for it; False when the strategy has moved on and refuses."""
        path = self.random.choice(("", f"/v1/strategies/{identifier}/{verb}"))
        return await self._command(VERBS[verb](strategy=identifier), path, {})

    async def _command(self, command: Any, path: str, body: Any) -> bool:
        try:
            await self.client.ask(command, self._id(), path, body)
        except Refused:
            return False
        return True

    async def _end(self, identifier: str, after: int = 0) -> str:
        """Until it has ended with an event later than `after`; what pauses is resumed."""
        try:
            async with asyncio.timeout(END_SECONDS):
                while True:
                    after, state = await self.watch.wait(partial(self._later, identifier, after), END_SECONDS)
                    if state in ENDED:
                        return state
                    if state == "paused":
                        await asyncio.sleep(self.random.uniform(0.1, 1.5))
                        await self._verb("resume", identifier)
        except TimeoutError as error:
            raise Stuck(f"strategy {identifier} of lane {self.name} has not ended within {END_SECONDS:g} s") from error

    def _later(self, identifier: str, after: int) -> tuple[int, str] | None:
        sequence, state = self.watch.states.get(identifier, (0, ""))
        return (sequence, state) if sequence > after else None
