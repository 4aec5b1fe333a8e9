"""The line of the audit for each command that people can send."""

import pytest

from schemas.examples import EXAMPLES
from services.gateway.resources.audit.about import LONGEST, about
from shared.messages.base import Command
from shared.messages.strategy import RemoveSites

COMMANDS = [example for example in EXAMPLES if isinstance(example, Command)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.TYPE)
def test_every_command_says_in_one_line_what_it_is_about(command: Command) -> None:
    line = about(command)
    assert line.strip()
    assert line not in {"fleet", "everyone"} or command.subject == "everyone"
    assert len(line) <= LONGEST
    assert "\n" not in line


def test_many_names_are_a_few_and_how_many_more() -> None:
    command = RemoveSites(names=tuple(f"site-{number}" for number in range(500)))
    assert about(command) == "site-0, site-1, site-2 and 497 more"
