"""Monitor: advice drawn from the stream. The orchestrator re-checks it against its own rows."""

from datetime import datetime

from pydantic import Field

from shared.messages.base import Event
from shared.messages.words import Identifier


class TroubleFound(Event):
    """Something is wrong with Belay itself: a service says it of itself, or does not answer."""

    SUBJECT = "trouble_id"

    trouble_id: Identifier
    service: str = Field(max_length=100)
    code: str = Field(max_length=100, description="kind of the finding, as in /readyz")
    about: str = Field(default="", max_length=1_000, description="the partition, process, group or record")
    message: str = Field(max_length=4_000, description="what is wrong, with its cause as far as it is known")
    advice: str = Field(default="", max_length=1_000)
    since: datetime | None = None
    at: datetime


class TroubleOver(Event):
    """What was wrong is so no more."""

    SUBJECT = "trouble_id"

    trouble_id: Identifier
    service: str = Field(max_length=100)
    code: str = Field(max_length=100)
    about: str = Field(default="", max_length=1_000)
    found_at: datetime
    at: datetime


class StageForecast(Event):
    """How a running stage goes: failure rate in the window, and when it will end."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    stage: int
    window_seconds: int
    finished_in_window: int
    failed_in_window: int
    failure_rate: float = Field(ge=0, le=1, description="failed / finished in the window, 0 when none finished")
    eta_low: datetime | None = Field(description="earliest likely end; null = not enough to say")
    eta_high: datetime | None
    overdue: bool = Field(default=False, description="its running sites take longer than any before: no end in sight")
    failing: bool = Field(default=False, description="FailureRateHigh was told and still holds")
    at: datetime


class FailureRateHigh(Event):
    """The failure rate of a stage passed the level at which people should look."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    stage: int
    failure_rate: float
    finished_in_window: int
    failed_in_window: int
    window_seconds: int
    at: datetime


class StrategySilent(Event):
    """A running stage has said nothing for longer than its own pace explains."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    stage: int
    silent_seconds: int
    running: int
    at: datetime
