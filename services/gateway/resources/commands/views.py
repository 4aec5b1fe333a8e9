"""Commands and their answers as the API shows them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from shared.messages.base import Fault


class CommandAnswer(BaseModel):
    """What came of a command: `accepted` with ids of what it created, or `sent` while its owner has not answered."""

    command_id: str
    state: Literal["sent", "accepted"]
    result: dict[str, Any] = {}


class CommandView(BaseModel):
    """A command and its answer."""

    command_id: str
    type: str
    state: Literal["sent", "accepted", "rejected"]
    result: dict[str, Any]
    faults: list[Fault]
    actor: str
    sent_at: datetime
    answered_at: datetime | None
