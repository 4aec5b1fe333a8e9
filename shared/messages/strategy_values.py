"""What events of strategies are made of: counts, reasons, stages, steps."""

from pydantic import Field

from shared.messages.base import Model
from shared.messages.opening import Open
from shared.messages.words import Identifier, Name, SiteName, StepState, Version


class Counts(Model):
    """Absolute numbers of sites by step state; their sum is the total."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    aborted: int = 0

    @property
    def total(self) -> int:
        """All sites."""
        return self.waiting + self.running + self.complete + self.failed + self.aborted

    @property
    def finished(self) -> int:
        """Sites whose operation has ended, well or not."""
        return self.complete + self.failed


class Why(Model):
    """Why something waits or stopped: one code, one line."""

    code: str = Field(examples=["max_parallel"])
    message: str = Field(examples=["50 of 50 slots are taken"])


class Share(Model):
    """How many sites of a stage belong to one group, or carry one value of a label."""

    of: str = Field(description="name of the group, or value of the label; empty = has none")
    sites: int


class StagePlan(Model):
    """One stage of a plan."""

    position: int
    name: Name
    sites: int
    max_parallel: int
    soak_seconds: int
    spread: tuple[Share, ...] = Field(default=(), description="its sites by group or label, the largest first")
    spread_more: int = Field(default=0, description="so many more groups or values are not listed")


class Excluded(Model):
    """A site that the plan leaves out, and why."""

    site: SiteName
    code: str
    message: str


class TargetCount(Model):
    """How many sites go to a release."""

    version: Version
    sites: int


class StepChange(Model):
    """One step as it stands now."""

    site: SiteName
    stage: int
    state: Open[StepState]
    attempt: int = 1
    operation_id: Identifier | None = None
    why: Why | None = Field(default=None, description="its own reason; null = that of its stage")
    target: Version | None = Field(default=None, description="the release it is to reach; null = the strategy's")
