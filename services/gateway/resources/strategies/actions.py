"""What people may do with strategies. When, their owner says with each of their states."""

from collections.abc import Callable, Mapping
from typing import Any

from services.gateway.commands.action import Action
from services.gateway.resources.strategies import reads
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    RecountStrategy,
    ResumeStrategy,
    RetryFailed,
    SkipSteps,
    UndoStrategy,
)
from shared.messages.words import StrategyAction as S
from shared.process.db import Connection


async def _planned(conn: Connection, commands: Mapping[str, CreateStrategy | UndoStrategy]) -> set[str]:
    return await reads.known(conn, list(commands))


def _said(action: S) -> Callable[[Mapping[str, Any]], bool]:
    """Whether its owner says that this can be done now."""
    return lambda strategy: not strategy["deleted"] and action in strategy["actions"]


CREATE = Action("create", CreateStrategy, readable=_planned)
APPLY = Action(S.APPLY, ApplyStrategy, when=_said(S.APPLY))
PAUSE = Action(S.PAUSE, PauseStrategy, when=_said(S.PAUSE))
RESUME = Action(S.RESUME, ResumeStrategy, when=_said(S.RESUME))
ABORT = Action(S.ABORT, AbortStrategy, when=_said(S.ABORT))
CANCEL_RUNNING = Action(S.CANCEL_RUNNING, CancelRunning, when=_said(S.CANCEL_RUNNING))
RETRY = Action(S.RETRY, RetryFailed, when=_said(S.RETRY))
SKIP = Action(S.SKIP, SkipSteps, when=_said(S.SKIP))
RECOUNT = Action(S.RECOUNT, RecountStrategy, when=_said(S.RECOUNT))
UNDO = Action(S.UNDO, UndoStrategy, when=_said(S.UNDO), readable=_planned)
DELETE = Action(S.DELETE, DeleteStrategy, when=_said(S.DELETE))

ACTIONS = (CREATE, APPLY, PAUSE, RESUME, ABORT, CANCEL_RUNNING, RETRY, SKIP, RECOUNT, UNDO, DELETE)
