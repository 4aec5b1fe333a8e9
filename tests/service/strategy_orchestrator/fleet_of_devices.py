"""The deployer's side of the bus, played by the test: it answers commands and ends operations when told to."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shared.messages import catalog, strategy
from shared.messages.base import Fault, Message
from shared.messages.deployer import (
    Cause,
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationRefused,
    OperationsSucceeded,
    OperationsTaken,
    OperationSucceeded,
    RequestOperation,
    RequestOperations,
    Succeeded,
)
from shared.messages.strategy import RegisterSites, Site, StrategySpec
from shared.messages.words import DeploymentStatus, OperationKind
from shared.process.service import Service
from tests.support.patience import patience
from tests.support.world import World

APP = "shop"


class Devices:
    """Answers what asks for operations; `outcome(command)` says how each ends: succeed, fail, fail:<code>, lose (it
    fails, and stays half-way), or hold (not yet)."""

    def __init__(self, world: World, outcome: Callable[[RequestOperation], str] = lambda _: "succeed") -> None:
        self.world = world
        self.outcome = outcome
        self.commands: dict[str, RequestOperation] = {}
        self.batches: set[str] = set()
        self.held: dict[str, RequestOperation] = {}
        self.releases: dict[str, tuple[str, ...]] = {}
        """Of each site, the current one last."""
        self.running: set[str] = set()
        self.most_running = 0
        self.repeat = 1
        self.ends = 0
        self._task = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _serve(self) -> None:
        done = 0
        while True:
            async with self.world.news:
                await self.world.news.wait_for(lambda seen=done: len(self.world.seen) > seen)
                fresh, done = self.world.seen[done:], len(self.world.seen)
            for envelope in fresh:
                if isinstance(envelope.data, RequestOperation) and envelope.id not in self.commands:
                    await self._take_single(envelope.id, envelope.data)
                elif isinstance(envelope.data, RequestOperations) and envelope.id not in self.batches:
                    await self._take_batch(envelope.id, envelope.data)

    async def _take_single(self, operation_id: str, command: RequestOperation) -> None:
        fate = self._begin(operation_id, command)
        accepted = CommandAccepted(command_id=operation_id, command_type=command.TYPE, about=command.site)
        await self.world.send(accepted)
        await self._go_on(operation_id, command, fate)

    async def _take_batch(self, batch: str, command: RequestOperations) -> None:
        """`reject-all:` refuses the command as a whole, `reject:` names the operations that may not begin."""
        self.batches.add(batch)
        facts = command.model_dump(exclude={"operations", "batch", "again", "round", "version"})
        singles = {
            o.operation_id: RequestOperation(site=o.site, version=o.version or command.version, **facts)
            for o in command.operations
        }
        fates = {o: self._begin(o, single) for o, single in singles.items()}
        codes = {o: fate.partition(":")[2] for o, fate in fates.items() if fate.startswith("reject")}
        if codes and all(fate.startswith("reject-all:") for fate in fates.values()):
            (code,) = set(codes.values())
            facts = {"command_id": batch, "command_type": command.TYPE, "about": batch}
            await self.world.send(CommandRejected(**facts, code=code, faults=(_refusal(code),)))
            return
        refused = tuple(OperationRefused(operation_id=o, faults=(_refusal(c),)) for o, c in codes.items())
        result = OperationsTaken(refused=refused).model_dump(mode="json")
        accepted = CommandAccepted(command_id=batch, command_type=command.TYPE, about=batch, result=result)
        await self.world.send(accepted)
        for operation_id, single in singles.items():
            if operation_id not in codes:
                await self._go_on(operation_id, single, fates[operation_id])

    def _begin(self, operation_id: str, command: RequestOperation) -> str:
        self.commands[operation_id] = command
        fate = self.outcome(command)
        if not fate.startswith("reject"):
            self.running.add(operation_id)
            self.most_running = max(self.most_running, len(self.running))
        return fate

    async def _go_on(self, operation_id: str, command: RequestOperation, fate: str) -> None:
        if fate == "hold":
            self.held[operation_id] = command
        else:
            await self.end(operation_id, command, fate)

    async def end(self, operation_id: str, command: RequestOperation, fate: str) -> None:
        self.running.discard(operation_id)
        self.held.pop(operation_id, None)
        self.ends += 1
        one = {"operation_id": operation_id, "site": command.site, "seconds": 0.1, "nth": self.ends}
        facts = self._facts(command, fate)
        event: Message
        if fate == "succeed" and command.strategy_id:
            event = OperationsSucceeded(**facts, operations=(Succeeded(**one),))
        elif fate == "succeed":
            event = OperationSucceeded(**facts, **one)
        else:
            cause = Cause(code=fate.partition(":")[2] or "wrong_version", message="it answers wrongly")
            event = OperationFailed(**facts, **one, recovered=fate != "lose", cause=cause)
        for _ in range(self.repeat):
            await self.world.send(event, message_id=f"end-{operation_id}")

    def _facts(self, command: RequestOperation, fate: str) -> dict[str, Any]:
        """What runs on the site now, and what did before."""
        before = self.releases.get(command.site, ())
        if fate == "succeed" and command.kind is not OperationKind.PRESTAGE:
            self.releases[command.site] = after(before, command.version)
        *history, version = self.releases.get(command.site) or (None,)
        history += [version] if fate == "lose" and version else []  # a rollback leads to what is still recorded
        return {
            "app": command.app,
            "kind": command.kind,
            "from_version": before[-1] if before else None,
            "to_version": command.version,
            "version": version,
            "history": history,
            "strategy_id": command.strategy_id,
            "status": DeploymentStatus.UPDATE_ERROR if fate == "lose" else DeploymentStatus.OPERATIONAL,
        }

    async def release(self, fate: str = "succeed", count: int = 1_000_000) -> None:
        """End operations that are held back, the oldest first."""
        for operation_id, command in list(self.held.items())[:count]:
            await self.end(operation_id, command, fate)


def after(before: tuple[str, ...], version: str | None) -> tuple[str, ...]:
    """The releases of a site once `version` runs there: going back forgets what came after it."""
    if version is None:
        return ()
    return (*before[: before.index(version)], version) if version in before else (*before, version)


def _refusal(code: str) -> Fault:
    return Fault(code=code, field="site", message=f"refused: {code}")


async def publish(
    world: World, version: str = "1.0", upgrades_from: tuple[str, ...] | None = None, release_id: str = ""
) -> None:
    """A release, as the catalog says it."""
    component = {"driver": "simulated", "name": "web"}
    await world.send(
        catalog.ReleaseAvailable(
            release_id=release_id or f"{APP}-{version}",
            app=APP,
            version=version,
            scheme="pep440",
            bundle_sha256="0" * 64,
            bundle_bytes=1,
            upgrades_from=upgrades_from,
            components=(component,),
            published_at=datetime.now(UTC),
        )
    )


async def register(world: World, count: int, **facts: object) -> list[str]:
    """Sites s-000, s-001 …"""
    names = [f"s-{n:03}" for n in range(count)]
    facts = {"driver": "simulated", **facts}
    for start in range(0, count, strategy.BATCH):
        sites = tuple(Site(name=name, **facts) for name in names[start : start + strategy.BATCH])  # type: ignore[arg-type]
        answer = await world.ask(RegisterSites(sites=sites))
        assert isinstance(answer, strategy.CommandAccepted), answer
    return names


def spec(**fields: object) -> StrategySpec:
    """An apply of 1.0 on the whole fleet."""
    given = {"name": "first", "type": "apply", "app": APP, "version": "1.0", "selection": {"all": True}, **fields}
    return StrategySpec.model_validate(given)


async def learned(service: Service, count: int = 1) -> None:
    """Until the orchestrator has heard of so many releases; no event says so, its table does."""
    async with patience(10):
        while await service.pool.fetchval("select count(*) from release") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
