"""What the API offers to people is what the owners take: their tables, side by side."""

import pytest

from services.catalog import domain as catalog
from services.catalog.preparation import domain as preparation
from services.deployer.phases import PHASES, Leg, may_be_stopped
from services.gateway.commands.action import allowed
from services.gateway.domain import Role
from services.gateway.resources.operations import actions as operations
from services.gateway.resources.releases import actions as releases
from services.gateway.resources.strategies import actions as strategies
from services.gateway.resources.subscriptions import actions as subscriptions
from services.notifier import domain as notifier
from services.strategy_orchestrator import domain as orchestrator
from shared.messages.notifier import DeliveryState
from shared.messages.words import OperationKind, StrategyAction, StrategyState


def test_every_action_that_a_strategy_may_say_is_offered_under_its_name() -> None:
    assert {action.name for action in strategies.ACTIONS if action.when} == set(StrategyAction)
    assert {action for actions in orchestrator.ACTIONS.values() for action in actions} == set(StrategyAction)


@pytest.mark.parametrize("state", StrategyState)
def test_what_a_strategy_says_is_what_is_offered(state: StrategyState) -> None:
    said = orchestrator.ACTIONS[state]
    row = {"deleted": False, "actions": list(said)}
    assert set(allowed(strategies.ACTIONS, row, Role.OPERATOR)) == set(said)


@pytest.mark.parametrize("state", [catalog.State.AVAILABLE, catalog.State.WITHDRAWN])
def test_a_release_is_withdrawn_where_the_catalog_lets_it(state: catalog.State) -> None:
    lets = (state, catalog.Happening.WITHDRAW) in catalog.TRANSITIONS
    row = {"state": state.value, "preparation": {"state": "prepared"}}
    assert ("withdraw" in allowed(releases.ACTIONS, row, Role.OPERATOR)) == lets


@pytest.mark.parametrize("state", [None, *preparation.State])
def test_a_release_is_prepared_where_that_would_begin_something(state: preparation.State | None) -> None:
    begins = state is None or preparation.TRANSITIONS[state, preparation.Happening.ASK] is not state
    row = {"state": "available", "preparation": state and {"state": state.value}}
    assert ("prepare" in allowed(releases.ACTIONS, row, Role.OPERATOR)) == begins
    assert "prepare" not in allowed(releases.ACTIONS, {**row, "state": "withdrawn"}, Role.OPERATOR)


@pytest.mark.parametrize(
    ("state", "ended"), [("queued", False), ("running", False), ("succeeded", True), ("failed", True)]
)
def test_an_operation_is_cancelled_until_it_has_ended(state: str, ended: bool) -> None:
    """As the deployer refuses it then: `already_finished`."""
    row = {"state": state, "kind": "update", "phase": "deploy"}
    assert allowed(operations.ACTIONS, row, Role.OPERATOR) == ([] if ended else ["cancel"])


@pytest.mark.parametrize("kind", OperationKind)
def test_an_operation_is_cancelled_while_the_deployer_would_stop_it(kind: OperationKind) -> None:
    """As the deployer refuses it then: `not_stoppable`."""
    for phase in (row.phase for row in PHASES[kind][Leg.FORWARD]):
        row = {"state": "running", "kind": kind.value, "phase": phase.value}
        assert bool(allowed(operations.ACTIONS, row, Role.OPERATOR)) == may_be_stopped(kind, phase), phase
    assert allowed(operations.ACTIONS, {"state": "queued", "kind": kind.value, "phase": None}, Role.OPERATOR)


@pytest.mark.parametrize("state", DeliveryState)
def test_a_delivery_is_made_again_where_the_notifier_lets_it_wait_again(state: DeliveryState) -> None:
    lets = DeliveryState.WAITING in notifier.TRANSITIONS[state] and state is not DeliveryState.QUEUED
    row = {"state": state, "notification_id": 1}
    assert (allowed(subscriptions.OF_DELIVERY, row, Role.OPERATOR) == ["redeliver"]) == lets
    assert allowed(subscriptions.OF_DELIVERY, {**row, "notification_id": None}, Role.OPERATOR) == []
