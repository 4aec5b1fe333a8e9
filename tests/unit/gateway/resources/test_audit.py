"""The line of the audit for each command that people can send."""

import pytest

from schemas.examples import EXAMPLES
from services.gateway.resources.sites import actions as sites
from services.gateway.resources.table import ACTIONS
from shared.messages.base import Command
from shared.messages.strategy import RemoveSites

OFFERED = {action.command: action for action in ACTIONS}
COMMANDS = [example for example in EXAMPLES if type(example) in OFFERED]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.TYPE)
def test_every_command_says_in_one_line_what_it_is_about(command: Command) -> None:
    line = OFFERED[type(command)].about(command)
    assert line.strip()
    assert line not in {"fleet", "everyone"} or command.subject == "everyone"
    assert "\n" not in line


def test_every_command_that_people_can_send_has_an_example() -> None:
    assert {type(command) for command in COMMANDS} == set(OFFERED)


def test_many_names_are_a_few_and_how_many_more() -> None:
    command = RemoveSites(names=tuple(f"site-{number}" for number in range(500)))
    assert sites.REMOVE.about(command) == "site-0, site-1, site-2 and 497 more"
