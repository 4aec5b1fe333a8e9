"""Who may do what, and when: the tables of the resources."""

import subprocess
import sys

import pytest

from services.gateway.commands.action import allowed
from services.gateway.domain import Role
from services.gateway.resources.operations import actions as operations
from services.gateway.resources.table import ACTIONS, RESOURCES, ROUTES


def test_every_command_is_offered_once_and_by_a_name_of_its_own_in_its_resource() -> None:
    assert len({action.command for action in ACTIONS}) == len(ACTIONS)
    for resource in RESOURCES:
        names = [action.name for action in resource.actions]
        assert len(set(names)) == len(names)


def test_no_route_asks_for_less_than_its_command_does() -> None:
    sending = [route for route in ROUTES if route.command and "dlq" not in route.path]
    assert {route.role for route in sending} == {action.role for action in ACTIONS}


def test_what_a_role_may_not_is_not_offered_to_it() -> None:
    running = {"state": "running", "kind": "update", "phase": "deploy"}
    assert allowed(operations.ACTIONS, running, Role.OPERATOR) == ["cancel"]
    assert allowed(operations.ACTIONS, running, Role.VIEWER) == []
    assert allowed(operations.ACTIONS, running | {"state": "failed"}, Role.ADMIN) == []


@pytest.mark.parametrize("module", ["ask", "sender", "pending", "read_your_writes", "action", "batcher"])
def test_a_command_is_sent_without_http(module: str) -> None:
    """Doors that speak other APIs stand on this."""
    code = f"import sys, services.gateway.commands.{module}; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
