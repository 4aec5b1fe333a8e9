"""What people may do with strategies. When, their owner says with each of their states."""

from collections.abc import Mapping

from services.gateway.commands.action import Action
from services.gateway.resources.strategies import reads
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    ResumeStrategy,
    RetryFailed,
    UndoStrategy,
)
from shared.process.db import Connection


async def _planned(conn: Connection, commands: Mapping[str, CreateStrategy | UndoStrategy]) -> set[str]:
    return await reads.known(conn, list(commands))


CREATE = Action("create", CreateStrategy, readable=_planned)
APPLY = Action("apply", ApplyStrategy)
PAUSE = Action("pause", PauseStrategy)
RESUME = Action("resume", ResumeStrategy)
ABORT = Action("abort", AbortStrategy)
CANCEL_RUNNING = Action("cancel_running", CancelRunning)
RETRY = Action("retry", RetryFailed)
UNDO = Action("undo", UndoStrategy, readable=_planned)
DELETE = Action("delete", DeleteStrategy)

ACTIONS = (CREATE, APPLY, PAUSE, RESUME, ABORT, CANCEL_RUNNING, RETRY, UNDO, DELETE)
