"""The deployer's side of the bus, played by the test: it answers commands and ends operations when told to."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from shared.codec import Envelope
from shared.messages import catalog, strategy
from shared.messages.base import Message
from shared.messages.deployer import (
    Cause,
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationSucceeded,
    RequestOperation,
)
from shared.messages.strategy import RegisterSites, Site, StrategySpec
from shared.messages.words import DeploymentStatus
from shared.service import Service
from tests.support.world import World

APP = "shop"


class Devices:
    """Answers every RequestOperation; `outcome(command)` says how it ends: succeed, fail, or hold (not yet)."""

    def __init__(self, world: World, outcome: Callable[[RequestOperation], str] = lambda _: "succeed") -> None:
        self.world = world
        self.outcome = outcome
        self.commands: dict[str, RequestOperation] = {}
        self.held: dict[str, RequestOperation] = {}
        self.running: set[str] = set()
        self.most_running = 0
        self.repeat = 1
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
                    await self._take(envelope)

    async def _take(self, envelope: Envelope[Message]) -> None:
        command = envelope.data
        assert isinstance(command, RequestOperation)
        self.commands[envelope.id] = command
        fate = self.outcome(command)
        if fate.startswith("reject:"):
            await self.reject(envelope.id, command, fate.removeprefix("reject:"))
            return
        self.running.add(envelope.id)
        self.most_running = max(self.most_running, len(self.running))
        await self.accept(envelope.id, command)
        if fate == "hold":
            self.held[envelope.id] = command
        else:
            await self.end(envelope.id, command, fate)

    async def accept(self, operation_id: str, command: RequestOperation) -> None:
        accepted = CommandAccepted(command_id=operation_id, command_type=command.TYPE, about=command.site)
        await self.world.send(accepted)

    async def reject(self, operation_id: str, command: RequestOperation, code: str) -> None:
        faults = ({"code": code, "field": "site", "message": f"refused: {code}"},)
        await self.world.send(
            CommandRejected(
                command_id=operation_id, command_type=command.TYPE, about=command.site, code=code, faults=faults
            )
        )

    async def end(self, operation_id: str, command: RequestOperation, fate: str) -> None:
        self.running.discard(operation_id)
        self.held.pop(operation_id, None)
        facts = {
            "operation_id": operation_id,
            "site": command.site,
            "app": command.app,
            "kind": command.kind,
            "from_version": None,
            "to_version": command.version,
            "strategy_id": command.strategy_id,
            "seconds": 0.1,
        }
        event: Message
        if fate == "succeed":
            event = OperationSucceeded(**facts, version=command.version, status=DeploymentStatus.OPERATIONAL)
        else:
            cause = Cause(code="wrong_version", message="it answers wrongly")
            status = DeploymentStatus.OPERATIONAL
            event = OperationFailed(**facts, version=None, status=status, recovered=True, cause=cause)
        for _ in range(self.repeat):
            await self.world.send(event, message_id=f"end-{operation_id}")

    async def release(self, fate: str = "succeed", count: int = 1_000_000) -> None:
        """End operations that are held back, the oldest first."""
        for operation_id, command in list(self.held.items())[:count]:
            await self.end(operation_id, command, fate)


async def publish(world: World, version: str = "1.0", upgrades_from: tuple[str, ...] | None = None) -> None:
    """A release, as the catalog says it."""
    component = {"driver": "simulated", "name": "web"}
    await world.send(
        catalog.ReleaseAvailable(
            release_id=f"{APP}-{version}",
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
    async with asyncio.timeout(10):
        while await service.pool.fetchval("select count(*) from release") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
