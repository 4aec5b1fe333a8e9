"""Which strategies a transaction locks, by what its messages say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.strategy_orchestrator.rollout.locking import spoken_of
from shared.messages import deployer, monitor, strategy
from shared.messages.base import Message

AT = datetime(2026, 1, 1, tzinfo=UTC)


def ended(site: str, strategy_id: str | None) -> deployer.OperationSucceeded:
    facts: dict[str, Any] = {"operation_id": f"{strategy_id or 'by-selected'}.1.1", "site": site, "app": "shop"}
    facts |= {"kind": "update", "from_version": "1", "to_version": "2", "version": "2", "status": "operational"}
    return deployer.OperationSucceeded(**facts, strategy_id=strategy_id, plan=(), seconds=1.0)


def taken(command_id: str) -> deployer.CommandAccepted:
    return deployer.CommandAccepted(command_id=command_id, command_type="t", about="oslo")


@pytest.mark.parametrize(
    ("message", "references", "sites"),
    [
        (strategy.ApplyStrategy(strategy="by-name"), {"by-name"}, set()),
        (strategy.RetryFailed(strategy="by-name"), {"by-name"}, set()),
        (ended("oslo", "s-1"), {"s-1"}, set()),
        (ended("oslo", None), set(), {"oslo"}),
        (taken("s-2/7.0"), {"s-2"}, set()),
        (taken("by-hand"), set(), set()),
        (
            monitor.StrategySilent(strategy_id="s-3", stage=0, running=1, silent_seconds=9, at=AT),
            {"s-3"},
            set(),
        ),
        (strategy.RemoveSites(names=("oslo",)), set(), set()),
        (strategy.SkipSteps(strategy="by-name", sites=("oslo",)), {"by-name"}, set()),
        (strategy.RegisterSites(sites=(strategy.Site(name="oslo"),)), set(), set()),
        (strategy.RegisterSites(sites=(strategy.Site(name="oslo", managed=False),)), set(), {"oslo"}),
    ],
)
def test_each_message_names_its_strategy(message: Message, references: set[str], sites: set[str]) -> None:
    assert spoken_of([message]) == (references, sites)


def test_a_batch_names_each_strategy_once() -> None:
    assert spoken_of([ended("oslo", "s-1"), ended("bergen", "s-1"), taken("s-2/1.0")]) == ({"s-1", "s-2"}, set())
