"""Strategy orchestrator: sites, groups, and roll-outs over many sites in stages."""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.messages.base import Command, Event
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.opening import Open
from shared.messages.site import MOST_FACTS, Site
from shared.messages.strategy_spec import Exclusion, FailurePolicy, Selection, StageSpec, StrategySpec
from shared.messages.strategy_values import Counts, Excluded, Share, StagePlan, StepChange, TargetCount, Why
from shared.messages.words import (
    Identifier,
    Label,
    Limit,
    Name,
    Severity,
    SiteName,
    StageState,
    StrategyAction,
    StrategyState,
    Text,
    Version,
)

__all__ = [
    "Counts", "Excluded", "Exclusion", "FailurePolicy", "Selection", "Share", "Site", "StagePlan", "StageSpec",
    "StepChange", "StrategySpec", "TargetCount", "Why",
]  # fmt: skip
"""Of other modules; messages are this one's own."""

FLEET = "fleet"
"""The aggregate and key of all messages about sites and groups, so that they keep one order."""

BATCH = 500
"""The most sites that one message lists; longer lists travel as several messages (a record stays below 1 MB)."""


# -- sites and groups -------------------------------------------------------------------------------------------


class _FleetCommand(Command):
    KEY: ClassVar[str] = "fleet"
    fleet: Literal["fleet"] = Field(default="fleet", description="there is one fleet")


class RegisterSites(_FleetCommand):
    """Add sites, or replace all that is known of them, all or none. Every group named must exist.

    Registration is whole: what is left out of a site gets its default. `ChangeSites` changes single facts.
    """

    SUBJECT = "fleet"

    sites: tuple[Site, ...] = Field(min_length=1, max_length=BATCH)


class ChangeSites(_FleetCommand):
    """Change what is known of sites, all of a selection or none; what is left out stays as it is.

    `labels`, `connections`, `params` and `facts` are added or replaced key by key; `unlabel`, `disconnect`,
    `unset_params` and `unset_facts` take some away.
    """

    SUBJECT = "fleet"

    selection: Selection = Field(description="which sites; refused when it means none")
    group: Name | None = None
    ungroup: bool = Field(default=False, description="they belong to no group any more")
    labels: dict[Label, Label] = Field(default_factory=dict, max_length=64)
    unlabel: tuple[Label, ...] = Field(default=(), max_length=64)
    connections: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=20,
        description="added; of one that is there, key by key",
        json_schema_extra={"additionalProperties": False},
    )
    disconnect: tuple[Name, ...] = Field(default=(), max_length=20, description="drivers that reach it no longer")
    driver: Name | None = Field(default=None, description="this one alone reaches them from now on")
    params: dict[str, Any] = Field(default_factory=dict, description="of `driver`, or else of all that reach them")
    unset_params: tuple[str, ...] = ()
    managed: bool | None = None
    maintenance: bool | None = None
    simplex: bool | None = None
    facts: dict[Label, Label] = Field(
        default_factory=dict, max_length=MOST_FACTS, description="of the platform; added or replaced key by key"
    )
    unset_facts: tuple[Label, ...] = Field(default=(), max_length=MOST_FACTS, description="facts that are taken away")

    @model_validator(mode="after")
    def _one_group(self) -> Self:
        if self.group is not None and self.ungroup:
            raise ValueError("group: `group` and `ungroup` contradict each other; give one of them")
        return self


class RemoveSites(_FleetCommand):
    """Forget sites. Refused for a site that a strategy holds."""

    SUBJECT = "fleet"

    names: tuple[SiteName, ...] = Field(min_length=1, max_length=BATCH)


class RaiseAlarm(_FleetCommand):
    """Something is wrong with a site, as a person or a program found. Raised again, it is as it was said last."""

    SUBJECT = "fleet"

    site: SiteName
    alarm: Name = Field(description="what is wrong, by a name that is the same each time it is raised and cleared")
    severity: Severity
    management_affecting: bool = Field(
        default=False, description="while it lasts the site is not prestaged, unless by force"
    )
    text: Text = ""


class ClearAlarm(_FleetCommand):
    """What was wrong with a site is so no longer."""

    SUBJECT = "fleet"

    site: SiteName
    alarm: Name


class CreateGroup(_FleetCommand):
    """Make a group; its limits hold for its sites in all strategies together, beside those of their stages."""

    SUBJECT = "fleet"

    name: Name
    description: Text = ""
    apply_type: Literal["parallel", "serial"] = "parallel"
    max_parallel: Limit = Field(default="100%", description="sites that change at once; per cents are of the group")


class UpdateGroup(_FleetCommand):
    """Change a group; what is left out stays as it is."""

    SUBJECT = "fleet"

    name: Name
    description: Text | None = None
    apply_type: Literal["parallel", "serial"] | None = None
    max_parallel: Limit | None = None


class DeleteGroup(_FleetCommand):
    """Remove a group that has no sites."""

    SUBJECT = "fleet"

    name: Name


class SitesChanged(Event):
    """These sites were added or changed; this is all that is known of them now."""

    SUBJECT, VERSION = "fleet", 2

    fleet: str = FLEET
    sites: tuple[Site, ...]


class SitesChangedV1(SitesChanged):
    """As it was said until 0.1: a site had one connection, its `driver` and `params`."""

    SUBJECT, VERSION, NAME, NEWER = "fleet", 1, "sites_changed", SitesChanged

    def newest(self) -> SitesChanged:
        return SitesChanged.model_construct(**dict(self))


class SitesRemoved(Event):
    """These sites are forgotten."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    names: tuple[SiteName, ...]


class SitesHeld(Event):
    """A strategy holds these sites: single operations on them are refused until it lets go."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    strategy_id: Identifier
    strategy: Name
    names: tuple[SiteName, ...]


class SitesReleased(Event):
    """A strategy let go of all the sites it held."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    strategy_id: Identifier


class AlarmRaised(Event):
    """An alarm of a site was raised, or is another one than before."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    site: SiteName
    alarm: Name
    severity: Open[Severity]
    management_affecting: bool
    text: Text = ""
    affecting: tuple[Name, ...] = Field(max_length=100, description="alarms of the site that affect its management now")
    raised_at: datetime
    by: str = Field(default="", description="who said so; empty = nobody said")


class AlarmCleared(Event):
    """An alarm of a site is over."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    site: SiteName
    alarm: Name
    affecting: tuple[Name, ...] = Field(max_length=100, description="alarms of the site that affect its management now")
    at: datetime
    by: str = Field(default="", description="who said so; empty = nobody said")


class GroupChanged(Event):
    """A group was made or changed."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    name: Name
    description: str
    apply_type: Open[Literal["parallel", "serial"]]
    max_parallel: int | str


class GroupDeleted(Event):
    """A group is gone."""

    SUBJECT = "fleet"

    fleet: str = FLEET
    name: Name


class SiteState(Event):
    """What runs of an app on a site, after each operation (compacted: the last one of each app and site is kept)."""

    SUBJECT, TOPIC = "deployment", "site.state"

    site: SiteName
    app: Name
    version: Version | None = Field(description="the release that runs; null = none")
    status: str = Field(description="deployment status")
    operation_id: Identifier | None = Field(description="the operation that brought it here")
    strategy_id: Identifier | None = None
    at: datetime

    @property
    def deployment(self) -> str:
        """`<site>/<app>`"""
        return f"{self.site}/{self.app}"


# -- strategies -------------------------------------------------------------------------------------------------


class CreateStrategy(Command):
    """Validate a roll-out and plan it. The id of this command becomes the id of the strategy."""

    SUBJECT = "name"

    spec: StrategySpec

    @property
    def name(self) -> str:
        """The strategy's name; the aggregate until the strategy has its id."""
        return self.spec.name


class _StrategyCommand(Command):
    strategy: Identifier = Field(description="id of the strategy, or the name of one that is not deleted")
    reason: Text = ""


class ApplyStrategy(_StrategyCommand):
    """Start a strategy that is ready; one that waits for its release begins as soon as that is there."""

    SUBJECT = "strategy"


class PauseStrategy(_StrategyCommand):
    """Start no further site; what runs goes on to its end."""

    SUBJECT = "strategy"


class ResumeStrategy(_StrategyCommand):
    """Go on with a paused strategy."""

    SUBJECT = "strategy"


class AbortStrategy(_StrategyCommand):
    """Running sites finish, waiting ones are aborted at once. With `now` running ones are cancelled as well."""

    SUBJECT = "strategy"

    now: bool = Field(default=False, description="also stop running sites at their next safe point, and recover them")


class CancelRunning(_StrategyCommand):
    """Stop running sites at their next safe point and recover each to the release it had; they count as failed.

    Without `sites` all that run. Sites that do not run any more are passed over.
    """

    SUBJECT = "strategy"

    sites: tuple[SiteName, ...] = Field(default=(), max_length=5_000)


class RetryFailed(_StrategyCommand):
    """Try failed and aborted sites of a strategy again, with the same plan; it may have ended, be paused or run.

    Without `sites` all of them but those that a person skipped.
    """

    SUBJECT = "strategy"

    sites: tuple[SiteName, ...] = Field(default=(), max_length=5_000)


class SkipSteps(_StrategyCommand):
    """Leave these waiting sites out: they are aborted with the reason `skipped`, and do not make the strategy fail."""

    SUBJECT = "strategy"

    sites: tuple[SiteName, ...] = Field(min_length=1, max_length=5_000)


class RecountStrategy(_StrategyCommand):
    """Count the sites of a strategy anew, from its steps, once its counts were found not to fit them.

    It is paused then, or goes on with what it was about to end as.
    """

    SUBJECT = "strategy"


class UndoStrategy(_StrategyCommand):
    """Plan a rollback of exactly the sites that a strategy changed, each to what it had before.

    It has the stages and limits of that strategy, but for what is given here. The id of this command becomes the id of
    the new strategy. A paused strategy of which nothing runs is aborted by it; any other must have ended.
    """

    SUBJECT = "strategy"

    name: Name | None = Field(default=None, description="of the new strategy; null = undo-<name of the other>")
    selection: Selection | None = Field(default=None, description="only these of the sites it changed; null = all")
    stages: tuple[StageSpec, ...] | None = Field(default=None, min_length=1, max_length=500)
    max_parallel: Limit | None = None
    apply_type: Literal["parallel", "serial"] | None = None
    on_failure: FailurePolicy | None = None
    step_timeout_seconds: int | None = Field(default=None, ge=1, le=7 * 24 * 3600)


class DeleteStrategy(_StrategyCommand):
    """Put away a strategy that does not run. Its history stays, its name becomes free."""

    SUBJECT = "strategy"


class CommandAccepted(_Accepted):
    """The orchestrator took a command."""

    SUBJECT, KEY = "command_id", "about"


class CommandRejected(_Rejected):
    """The orchestrator refused a command."""

    SUBJECT, KEY = "command_id", "about"


class StrategyPlanned(Event):
    """A strategy was validated and is ready to be applied; `StepsChanged` events list its sites.

    One that waits for the publication in its spec has no stages yet: it is told once more when it is planned.
    """

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    spec: StrategySpec
    names_left_out: int = Field(
        default=0, description="of sites, in `spec`, which names at most 1,000; the steps list every site"
    )
    stages: tuple[StagePlan, ...]
    excluded: tuple[Excluded, ...] = Field(default=(), description="at most 1,000; `excluded_count` is exact")
    excluded_count: int = 0
    targets: tuple[TargetCount, ...] = Field(
        default=(), description="where each site has its own release to reach: the commonest 100; the steps say it all"
    )
    created_by: str = Field(default="", description="who asked for it; empty = nobody said")
    created_at: datetime


class StrategyStateChanged(Event):
    """A strategy moved on; `why` says what made it."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    name: Name
    state: Open[StrategyState]
    why: Why
    counts: Counts
    renewed: bool = Field(default=False, description="the state is as before, its reason or its actions are not")
    actions: tuple[Open[StrategyAction], ...] = Field(default=(), description="what people may do with it now")
    catch_up_until: datetime | None = Field(
        default=None, description="it has ended, and tries sites that were offline again until then; null = none"
    )
    at: datetime


class StageProgressed(Event):
    """A stage moved on: absolute counts, so that a redelivery changes nothing. One per stage and transaction."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    stage: int
    name: Name
    state: Open[StageState]
    counts: Counts
    max_parallel: int
    why: Why | None = Field(default=None, description="why it is not further; null = it has ended")
    warning: Why | None = Field(default=None, description="what the monitor advises, until it no longer holds")
    at: datetime


class StepsChanged(Event):
    """Steps moved on; at most 500 in one message."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    steps: tuple[StepChange, ...]
    at: datetime


class StrategyDeleted(Event):
    """A strategy was put away; its history stays."""

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    name: Name
    by: str = Field(default="", description="who asked for it; empty = nobody said")
    reason: Text = ""
    at: datetime
