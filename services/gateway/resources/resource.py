"""What the folder of a resource gives to the gateway."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from services.gateway.commands.action import Action
from services.gateway.events.learning import Learning, LearningTransaction
from services.gateway.http.routing import Route

AfterAnswer = Callable[[LearningTransaction, Sequence[asyncpg.Record]], Awaitable[None]]
"""What a resource learns from answered commands: rows with command_id, type, state, body, result, faults, sent_at."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, as table.py lists it; the app, the event handlers and the API's description are made of these."""

    tags: Mapping[str, str]
    """What people find there, by the first part of its paths."""

    routes: tuple[Route, ...]

    parts: Mapping[str, Any] = field(default_factory=dict)
    """The type of each variable part of its paths, by what stands before the part and its name: `sites/{name}`."""

    learns: tuple[Learning, ...] = ()
    """Which events it learns from, and how."""

    actions: tuple[Action, ...] = ()
    """What people may do with it: every command that the API sends stands in one of these tables."""

    after_answers: Mapping[str, AfterAnswer] = field(default_factory=dict)
    """What it learns from answers to people's commands, by the command's type."""
