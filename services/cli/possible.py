"""What can be done now with something, as the gateway says it: here stands no table of states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.cli.errors import CliError
from services.cli.session import Session

NOT_NOW = frozenset({"wrong_state", "nothing_runs", "already_finished", "not_stoppable"})
"""Refusals that another moment, or another action, would not meet."""


def actions(item: Mapping[str, Any]) -> str:
    """`pause, abort`: of something that the gateway showed."""
    return ", ".join(word.replace("_", "-") for word in item.get("actions", ()))


@contextmanager
def or_say_what(session: Session, noun: str, path: str) -> Iterator[None]:
    """A refusal because of the state of what lies at `path` also says what can be done with it instead."""
    try:
        yield
    except CliError as error:
        if error.code in NOT_NOW and not error.advice:
            error.advice = _instead(session, noun, path)
        raise


def _instead(session: Session, noun: str, path: str) -> str:
    try:
        words = actions(session.get(path))
    except CliError:
        return ""  # the refusal itself is what counts
    return f"now possible: `belay {noun}` {words}" if words else ""
