"""Operations as the API shows them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.deployer import Cause, ComponentDecision, ComponentProgress, PhaseResult
from shared.messages.opening import Open
from shared.messages.words import OperationKind


class OperationView(BaseModel):
    """One job on one site, from request to its verified end.

    Of an operation that a strategy asked for, `requested_at` is when work on it began.
    """

    operation_id: str
    site: str
    app: str
    kind: Open[OperationKind]
    state: Literal["queued", "running", "succeeded", "failed"]
    phase: str | None
    percent: int | None
    from_version: str | None
    to_version: str | None
    version: str | None
    recovered: bool | None
    cause: Cause | None
    plan: list[ComponentDecision]
    doing: list[ComponentProgress] = Field(description="while it runs: what drivers do with which component")
    phases: list[PhaseResult]
    strategy_id: str | None
    publication: str | None = Field(
        description="whose release it goes to, where that was asked for; `/v1/publications/{id}` tells how far it is"
    )
    because: Cause | None = Field(description="why the deployer began it by itself; null = somebody asked for it")
    requested_at: datetime
    finished_at: datetime | None
    seconds: float | None
    fetched_bytes: int | None = Field(description="sent to the site for it; null while it has not ended")
    actions: list[str] = Field(description="what you may do with it now: cancel")


class OperationDetail(OperationView):
    """An operation with all that it left to learn from."""

    last_lines: list[str] = Field(description="what the failed components said last; at most 50 lines, 16 kB")


class OperationQuery(Paging):
    """Filters of operations."""

    site: str | None = None
    app: str | None = None
    state: Literal["queued", "running", "succeeded", "failed"] | None = None
    strategy: str | None = None
