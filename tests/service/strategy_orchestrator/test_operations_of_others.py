"""Operations that no strategy asked for: by hand, by themselves, in runs over a site. Their ends count once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.strategy_orchestrator.app import wire
from shared.messages.base import Message
from shared.messages.deployer import CommandAccepted, OperationSucceeded, RequestOperation
from shared.messages.strategy import SiteState
from shared.messages.words import DeploymentStatus, OperationKind
from shared.process.service import Service
from shared.wire.codec import Envelope
from tests.service.strategy_orchestrator.fleet_of_devices import register
from tests.support.world import World

pytestmark = pytest.mark.service

SITE = "s-000"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def began(operation: str) -> CommandAccepted:
    """The answer to whoever asked for it."""
    return CommandAccepted(command_id=operation, command_type=RequestOperation.TYPE, about=SITE)


def ended(operation: str, version: str, nth: int) -> OperationSucceeded:
    return OperationSucceeded(
        operation_id=operation,
        site=SITE,
        app="shop",
        kind=OperationKind.UPDATE,
        from_version=None,
        to_version=version,
        version=version,
        status=DeploymentStatus.OPERATIONAL,
        strategy_id=None,
        seconds=1.0,
        nth=nth,
    )


async def heard(service: Service, message: Message, second: int) -> list[str | None]:
    """Have this told at a second after noon; the releases that `site.state` names then."""
    envelope: Envelope[Any] = Envelope(message, f"m-{second}", "/test", NOON + timedelta(seconds=second))
    async with service.ledger.transaction() as tx:
        assert service.prepare is not None
        await service.prepare(tx, [envelope])
        await service.handlers[type(message)](tx, [envelope])
    bodies = [body for _, _, headers, body in tx.outbox if dict(headers)["ce_type"] == SiteState.TYPE.encode()]
    return [SiteState.model_validate_json(body or b"").version for body in bodies]


async def test_what_nobody_was_told_to_begin_is_known_by_its_end_once_and_an_old_beginning_makes_no_site_busy(
    world: World,
) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        await register(world, 1)
        assert await heard(service, ended("by-itself", "1.0", 1), 1) == ["1.0"]
        assert await heard(service, ended("by-itself", "1.0", 1), 1) == []
        await heard(service, began("by-hand"), 2)
        assert await heard(service, ended("in-a-run", "2.0", 2), 3) == ["2.0"]
        assert await service.pool.fetchval("select operation_id from site") == "by-hand"
        assert await heard(service, ended("by-hand", "3.0", 3), 4) == ["3.0"]
        await heard(service, began("by-hand"), 2)  # an old record once more
        await heard(service, began("by-hand"), 600)  # told again by a deployer whose clock is ahead
        assert await service.pool.fetchval("select operation_id from site") is None
        await heard(service, began("slow-clock"), -600)  # begun by one whose clock is behind
        assert await service.pool.fetchval("select operation_id from site") == "slow-clock"
        assert await heard(service, ended("in-a-run", "2.0", 2), 3) == []
        assert await service.pool.fetchval("select version from deployment") == "3.0"
