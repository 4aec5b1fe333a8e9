"""Whatever speaks of a strategy in one poll, the strategy is saved once, and what came of it is told once."""

from datetime import UTC, datetime
from typing import TypeVar

import pytest
from asyncpg.connection import LoggedQuery

from services.strategy_orchestrator.app import wire
from shared.messages import REGISTRY
from shared.messages.base import Message
from shared.messages.deployer import Cause, OperationFailed, OperationSucceeded, RequestOperations
from shared.messages.strategy import (
    ApplyStrategy,
    CommandAccepted,
    CreateStrategy,
    PauseStrategy,
    RetryFailed,
    StageProgressed,
    StepsChanged,
    StrategyStateChanged,
)
from shared.messages.words import DeploymentStatus, OperationKind, StrategyState
from shared.process.service import Service
from shared.wire.codec import Envelope
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, register, spec
from tests.support.world import World

pytestmark = pytest.mark.service

M = TypeVar("M", bound=Message)


def ended(step: int, *, failed: bool = False) -> OperationSucceeded | OperationFailed:
    """The end of a step of strategy `a`."""
    facts = {
        "operation_id": f"a.{step}.1",
        "site": f"s-{step:03}",
        "app": "shop",
        "kind": OperationKind.APPLY,
        "from_version": None,
        "to_version": "1.0",
        "version": None if failed else "1.0",
        "status": DeploymentStatus.OPERATIONAL,
        "strategy_id": "a",
        "seconds": 1.0,
    }
    if failed:
        return OperationFailed(**facts, recovered=True, cause=Cause(code="unhealthy", message="it does not answer"))
    return OperationSucceeded(**facts)


async def polled(service: Service, *messages: Message) -> tuple[list[Message], list[str]]:
    """Handle these as if one poll had brought them; what is emitted by it all, and the statements."""
    envelopes = [Envelope(m, f"m-{n}", "/test", datetime.now(UTC), actor="ann") for n, m in enumerate(messages)]
    statements: list[str] = []

    def note(query: LoggedQuery) -> None:
        statements.append(query.query)

    async with service.ledger.transaction() as tx:
        tx.conn.add_query_logger(note)
        assert service.prepare is not None
        await service.prepare(tx, envelopes)
        for envelope in envelopes:
            await service.handlers[type(envelope.data)](tx, [envelope])
    bodies = [(REGISTRY[dict(headers)["ce_type"].decode()], body) for _, _, headers, body in tx.outbox]
    return [kind.model_validate_json(body or b"") for kind, body in bodies], statements


async def started(world: World, service: Service, sites: int) -> Devices:
    """A strategy `a` whose sites run until told otherwise."""
    devices = await planned(world, service, sites)
    assert isinstance(await world.ask(ApplyStrategy(strategy="a")), CommandAccepted)
    return devices


async def planned(world: World, service: Service, sites: int) -> Devices:
    """A strategy `a` that is ready."""
    devices = Devices(world, lambda _: "hold")
    await publish(world)
    await learned(service)
    await register(world, sites)
    assert isinstance(await world.ask(CreateStrategy(spec=spec(max_parallel=sites)), message_id="a"), CommandAccepted)
    return devices


def of(kind: type[M], emitted: list[Message]) -> list[M]:
    return [message for message in emitted if isinstance(message, kind)]


async def test_two_ends_and_a_command_of_one_poll_save_and_tell_it_once(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await started(world, service, 3)
        emitted, statements = await polled(service, ended(0), PauseStrategy(strategy="a"), ended(1, failed=True))
        await devices.stop()
    (state,) = of(StrategyStateChanged, emitted)
    assert state.state is StrategyState.PAUSED
    (stage,) = of(StageProgressed, emitted)
    assert (stage.counts.running, stage.counts.complete, stage.counts.failed) == (1, 1, 1)
    saved = [sql.split()[1] for sql in statements if " s set state = n.state" in sql]
    assert sorted(saved) == ["stage", "strategy"]


async def test_a_command_meets_a_strategy_as_what_came_before_it_in_the_poll_left_it(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await started(world, service, 2)
        emitted, _ = await polled(service, ended(0), ended(1, failed=True), RetryFailed(strategy="a"))
        await devices.stop()
    (stage,) = of(StageProgressed, emitted)
    assert (stage.counts.running, stage.counts.complete) == (1, 1)
    steps = [step for change in of(StepsChanged, emitted) for step in change.steps]
    told = [(step.state, step.attempt) for step in steps]
    assert told == [("complete", 1), ("failed", 1), ("waiting", 2), ("running", 2)]


async def test_what_is_applied_and_paused_at_once_starts_no_site(world: World) -> None:
    """Told as paused all the time, it would start some while it is."""
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await planned(world, service, 2)
        emitted, _ = await polled(service, ApplyStrategy(strategy="a"), PauseStrategy(strategy="a"))
        await devices.stop()
    assert not of(RequestOperations, emitted)
    assert not of(StepsChanged, emitted)
    assert [state.state for state in of(StrategyStateChanged, emitted)] == [StrategyState.PAUSED]
